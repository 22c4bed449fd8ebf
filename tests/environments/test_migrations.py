"""What there was before versions keeps what it ran."""

import pytest

from tests.history import history

BEFORE = [
    ("environments", "0001_initial"),
    ("notebooks", "0006_recent_failures"),
    ("quotas", "0002_placement"),
]
AFTER = [("environments", "0003_first_versions"), ("notebooks", "0007_environment_versions")]


@pytest.mark.django_db(transaction=True)
def test_an_environment_gets_a_first_version_which_its_sessions_pin() -> None:
    with history() as at:
        old = at(BEFORE)
        owner = old.get_model("accounts", "User").objects.create(username="ada")
        profile = old.get_model("quotas", "ResourceProfile").objects.create(
            name="small", display_name="Small", cpu_milli=1, memory_mib=1
        )
        environment = old.get_model("environments", "Environment").objects.create(
            name="science", display_name="Science", image="example/notebook:1"
        )
        session = old.get_model("notebooks", "NotebookSession").objects.create(
            owner=owner, name="thesis", profile=profile, environment=environment
        )

        new = at(AFTER)
        version = new.get_model("environments", "EnvironmentVersion").objects.get()
        pinned = new.get_model("notebooks", "NotebookSession").objects.get(pk=session.pk)
        assert (version.number, version.image) == (1, "example/notebook:1")
        assert version.environment.newest == version
        assert pinned.environment_version == version

        back = at(BEFORE)
        again = back.get_model("notebooks", "NotebookSession").objects.get(pk=session.pk)
        assert again.environment.image == "example/notebook:1"
