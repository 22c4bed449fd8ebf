"""The log itself: append-only, one transaction with the act, who, where and on whose behalf."""

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.test import Client
from rest_framework.test import APIClient

from accounts import vault
from accounts.models import User
from accounts.services import create_token, sign_out_everywhere
from audit.models import AuditEntry
from audit.services import record
from environments.models import Environment
from notebooks import lifecycle, services
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus as S
from quotas.models import ResourceProfile
from tests.conftest import api_of, browser_of
from tests.factories import BuildFactory, SessionFactory, VolumeClassFactory, VolumeFactory
from tests.sessions import key_of
from volumes import services as volumes

pytestmark = pytest.mark.django_db

VALUE = "hunter2-do-not-tell"


def told() -> list[tuple[str, str, str, str]]:
    """What the log says, oldest first: channel, actor, on whose behalf, action."""
    entries = AuditEntry.objects.order_by("id")
    return list(entries.values_list("channel", "actor_name", "on_behalf_of_name", "action"))


def last() -> AuditEntry:
    return AuditEntry.objects.latest("id")


@pytest.fixture
def running(ada: User) -> NotebookSession:
    return SessionFactory.create(owner=ada, name="hers", status=S.RUNNING)


@pytest.fixture
def kept(ada: User) -> AuditEntry:
    with transaction.atomic():
        record("user.changed", ada, actor=ada)
    return last()


def test_the_database_refuses_to_change_an_entry(kept: AuditEntry) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEntry.objects.filter(pk=kept.pk).update(actor_name="mallory")
    kept.refresh_from_db()
    assert kept.actor_name == "ada"


def test_the_database_refuses_to_delete_an_entry(kept: AuditEntry) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEntry.objects.all().delete()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        kept.delete()
    assert AuditEntry.objects.filter(pk=kept.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_an_entry_is_written_in_a_transaction_alone(ada: User) -> None:
    with pytest.raises(TransactionManagementError):
        record("user.changed", ada)
    assert told() == []


@pytest.mark.django_db(transaction=True)
def test_tests_can_empty_the_table(ada: User) -> None:
    with transaction.atomic():
        record("user.changed", ada, actor=ada)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE audit_auditentry")
    assert told() == []


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_leaves_no_entry(ada: User, running: NotebookSession) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():  # noqa: PT012
        services.stop_session(session=running, actor=ada)
        1 / 0  # noqa: B018
    assert told() == []
    services.stop_session(session=running, actor=ada)
    assert told() == [("service", "ada", "", "session.stopped")]


def test_a_name_that_is_taken_leaves_no_entry(ada: User, running: NotebookSession) -> None:
    SessionFactory.create(owner=ada, name="other")
    with pytest.raises(Exception, match="already"):
        services.rename_session(session=running, name="other", actor=ada)
    assert told() == []


def test_what_changes_nothing_is_not_in_the_log(ada: User) -> None:
    stopped = SessionFactory.create(owner=ada, status=S.STOPPED)
    services.stop_session(session=stopped, actor=ada)
    services.rename_session(session=stopped, name=stopped.name, actor=ada)
    assert told() == []


def test_what_a_deleted_user_did_stays(ada: User) -> None:
    create_token(user=ada, name="ci")
    before = AuditEntry.objects.values().get()
    ada.delete()
    assert AuditEntry.objects.values().get() == before
    assert before["actor_name"] == "ada"


def test_a_start_takes_no_statement_more(
    ada: User, small: ResourceProfile, plain: Environment, django_assert_num_queries
) -> None:
    def create(name: str) -> None:
        services.create_session(owner=ada, profile="small", environment="notebook-env", name=name)

    create("first")
    # As many as without the log: the entry goes with the session, in one statement.
    with django_assert_num_queries(8) as asked:
        create("second")
    about = [each["sql"] for each in asked.captured_queries if "audit" in each["sql"]]
    assert len(about) == 1
    assert "notebooks_notebooksession" in about[0]
    assert [entry[3] for entry in told()] == ["session.created"] * 2
    assert last().object_label == "second"
    assert last().after == {"profile": "Small", "environment": "Notebook-Env"}


def test_a_stop_takes_one_insert_more(
    ada: User, running: NotebookSession, django_assert_num_queries
) -> None:
    with django_assert_num_queries(7) as asked:
        services.stop_session(session=running, actor=ada)
    about = [each["sql"] for each in asked.captured_queries if "audit" in each["sql"]]
    assert len(about) == 1
    assert about[0].startswith("INSERT")


def test_by_page_by_api_and_by_client(
    ada: User, browser: Client, running: NotebookSession, plain: Environment
) -> None:
    secret = create_token(user=ada, name="ci").secret
    browser.post(f"/sessions/{running.pk}/stop", REMOTE_ADDR="192.0.2.1")
    assert (told()[-1], last().address) == (("page", "ada", "", "session.stopped"), "192.0.2.1")
    program = APIClient(HTTP_AUTHORIZATION=f"Bearer {secret}", REMOTE_ADDR="2001:db8::1")
    path = f"/api/v2/sessions/{running.pk}"
    program.patch(path, {"name": "one"})
    assert (told()[-1], last().address) == (("api", "ada", "", "session.renamed"), "2001:db8::1")
    assert (last().before, last().after) == ({"name": "hers"}, {"name": "one"})
    program.patch(path, {"name": "two"}, HTTP_USER_AGENT="subnb/1.0")
    assert told()[-1] == ("cli", "ada", "", "session.renamed")
    assert last().object_id == str(running.pk)


def test_who_has_a_token_is_known_also_where_the_service_is_not_told(ada: User) -> None:
    volume = VolumeFactory.create(owner=ada, name="data")
    secret = create_token(user=ada, name="ci", scopes=["manage"]).secret
    APIClient(HTTP_AUTHORIZATION=f"Bearer {secret}").delete(f"/api/v2/volumes/{volume.pk}")
    assert told()[-1] == ("api", "ada", "", "volume.trashed")


def test_an_operator_acts_on_behalf_of_the_owner(operator: User, running: NotebookSession) -> None:
    browser_of(operator).post(
        "/admin/notebooks/notebooksession/",
        {"action": "stop", "_selected_action": [str(running.pk)]},
    )
    assert told() == [("admin", "olga", "ada", "session.stopped")]
    assert last().after == {"code": "stopped_by_operator"}
    assert last().on_behalf_of_id == running.owner_id


def test_a_request_that_is_over_leaves_nothing_behind(
    browser: Client, running: NotebookSession
) -> None:
    browser.get("/")
    lifecycle.fail(key_of(running), code="out_of_memory", message="Out of memory.")
    assert told() == [("service", "", "ada", "session.failed")]
    assert last().after == {"code": "out_of_memory"}


def test_the_service_says_what_it_does_by_itself(running: NotebookSession) -> None:
    lifecycle.restart(key_of(running), code="node_lost", message="Lost.")
    assert told() == [("service", "", "ada", "session.restarted")]


def test_a_server_that_was_shut_down_from_inside_has_stopped(running: NotebookSession) -> None:
    lifecycle.stop_exited(key_of(running), code="shut_down", message="Ended.", exit_code=0)
    assert told() == [("service", "", "ada", "session.stopped")]


def test_a_command_says_that_it_was_one(running: NotebookSession) -> None:
    with pytest.raises(Exception, match="have not ended"):
        call_command("stop_sessions", timeout=0.1)
    assert told() == [("command", "", "ada", "session.stopped")]


def test_everything_that_is_done_to_a_volume(browser: Client, ada: User, operator: User) -> None:
    standard = VolumeClassFactory.create(name="standard", growable=True)
    volume = volumes.create_volume(owner=ada, name="a", volume_class="standard", size_mib=1024)
    volume = volumes.rename_volume(volume=volume, name="b")
    volume = volumes.grow_volume(volume=volume, size_mib=2048)
    assert (last().before, last().after) == ({"size_mib": 1024}, {"size_mib": 2048})
    volume = volumes.trash_volume(volume=volume)
    volume = volumes.restore_volume(volume=volume)
    volumes.trash_volume(volume=volume)
    volumes.trash_volume(volume=volume)
    volumes.remove_volume(volume=volume)
    volumes.remove_volume(volume=volume)
    failed = VolumeFactory.create(owner=ada, state="failed", volume_class=standard)
    volumes.retry_volume(volume=failed)
    volumes.adopt_volume(actor=operator, owner=ada, name="old", claim="old", as_home=False)
    assert [entry[3] for entry in told()] == [
        "volume.created",
        "volume.renamed",
        "volume.grown",
        "volume.trashed",
        "volume.restored",
        "volume.trashed",
        "volume.removed",
        "volume.retried",
        "volume.adopted",
    ]
    assert told()[-1] == ("service", "olga", "ada", "volume.adopted")


def test_a_build_is_tried_again_once(ada: User) -> None:
    from environments.builds import retry  # noqa: PLC0415

    build = BuildFactory.create(state="failed")
    assert [retry(build), retry(build)] == [True, False]
    assert [entry[3] for entry in told()] == ["build.retried"]


def test_signing_out_everywhere_says_of_how_many(browser: Client, ada: User) -> None:
    browser.get("/account")
    assert sign_out_everywhere(user=ada) == 1
    assert sign_out_everywhere(user=ada) == 0
    assert [(each[3]) for each in told()] == ["user.signed_out"]
    assert last().after == {"sign_ins": 1}


def test_no_secret_is_ever_in_the_log(
    ada: User, operator: User, small: ResourceProfile, plain: Environment
) -> None:
    token = create_token(user=ada, name="ci")
    secret = vault.keep_secret(owner=ada, name="KEY", kind="variable", value=VALUE)
    vault.keep_new_value(secret=secret, value=f"{VALUE}-again")
    vault.forget(secret)
    vault.forget(secret)
    vault.forget(
        vault.keep_git_credential(
            owner=ada, name="git", kind="token", hosts=["git.example.com"], secret=VALUE
        )
    )
    program = api_of(ada)
    chosen = {"profile": "small", "environment": "notebook-env", "variables": {"PASSWORD": VALUE}}
    made = program.post("/api/v2/sessions", chosen).json()
    other = {"variables": {"PASSWORD": f"{VALUE}-2", "OTHER": VALUE}}
    assert program.patch(f"/api/v2/sessions/{made['id']}", other).status_code == 200
    assert last().after == {"variables": ["OTHER", "PASSWORD"]}
    admin = browser_of(operator)
    new = {"username": "new", "usable_password": "true", "password1": VALUE, "password2": VALUE}
    assert admin.post("/admin/accounts/user/add/", new).status_code == 302
    assert last().after["password1"] == "(not kept)"
    passwords = {"usable_password": "true", "password1": VALUE[::-1], "password2": VALUE[::-1]}
    path = f"/admin/accounts/user/{ada.pk}/password/"
    assert admin.post(path, passwords).status_code == 302
    assert (told()[-1], last().after) == (
        ("admin", "olga", "ada", "user.changed"),
        {"password": "(not kept)"},
    )
    actions = [entry[3] for entry in told()]
    assert actions == [
        "token.created",
        "secret.created",
        "secret.changed",
        "secret.deleted",
        "git_credential.created",
        "git_credential.deleted",
        "session.created",
        "session.setup_changed",
        "user.created",
        "user.changed",
    ]
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(entry::text, ' ') FROM audit_auditentry AS entry")
        written = cursor.fetchone()[0]
    ada.refresh_from_db()
    for hidden in (VALUE, VALUE[::-1], token.secret, token.record.digest, ada.password):
        assert hidden not in written


def test_what_an_operator_changes_in_the_admin_has_before_and_after(
    operator: User, ada: User, small: ResourceProfile
) -> None:
    group = Group.objects.create(name="physics")
    admin = browser_of(operator)
    path = f"/admin/quotas/resourceprofile/{small.pk}/change/"
    form = admin.get(path).context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    values = {name: value for name, value in values.items() if value not in (None, "", [])}
    for name in ("node_selector", "preferred_nodes", "tolerations", "pod_patch"):
        values[name] = form[name].value()
    changed = {**values, "cpu_milli": 2000, "groups": [group.pk]}
    assert admin.post(path, changed).status_code == 302
    assert told() == [("admin", "olga", "", "profile.changed")]
    assert last().before == {"cpu_milli": 1000, "groups": []}
    assert last().after == {"cpu_milli": 2000, "groups": ["physics"]}
    assert (last().object_kind, last().object_id) == ("profile", str(small.pk))
    assert admin.post(path, changed).status_code == 302
    assert len(told()) == 1
    admin.post(path, {**changed, "position": 0, "pod_patch": '{"labels": {"team": "x"}}'})
    assert (last().before, last().after) == (
        {"pod_patch": "(not kept)"},
        {"pod_patch": "(not kept)"},
    )


def test_what_an_operator_deletes_in_the_admin_is_in_the_log(operator: User) -> None:
    groups = [Group.objects.create(name=name) for name in ("one", "two", "three")]
    admin = browser_of(operator)
    admin.post(f"/admin/auth/group/{groups[0].pk}/delete/", {"post": "yes"})
    many = [groups[1].pk, groups[2].pk]
    chosen = {"action": "delete_selected", "_selected_action": many, "post": "yes"}
    admin.post("/admin/auth/group/", chosen)
    assert [entry[3] for entry in told()] == ["group.deleted"] * 3
    assert set(AuditEntry.objects.values_list("object_label", flat=True)) == {
        "one",
        "two",
        "three",
    }
    assert not Group.objects.filter(pk__in=[group.pk for group in groups]).exists()
