"""Volumes and their classes in the admin."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from tests.broker import Broker
from tests.conftest import browser_of
from tests.factories import UserFactory, VolumeFactory
from tests.volumes.conftest import FakeHost
from volumes import lifecycle, services
from volumes.contract import VolumeSeen
from volumes.models import Volume, VolumeClass

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("told", "broker")]

LIST = "/admin/volumes/volume/"
CLASSES = "/admin/volumes/volumeclass/"
GIB = 1024


@pytest.fixture
def admin(operator: User) -> Client:
    return browser_of(operator)


@pytest.fixture
def hers(ada: User, standard: VolumeClass) -> Volume:
    return VolumeFactory.create(owner=ada, name="data", volume_class=standard)


def page(volume: Volume) -> str:
    return f"{LIST}{volume.pk}/change/"


def act(admin: Client, action: str, *volumes: Volume) -> str:
    chosen = {"action": action, "_selected_action": [volume.pk for volume in volumes]}
    return admin.post(LIST, chosen, follow=True).text


def test_they_are_listed_with_what_they_hold(admin: Client, hers: Volume) -> None:
    lifecycle.record_usage({hers.pk: VolumeSeen(capacity_mib=1024, used_mib=300)})
    listed = admin.get(LIST).text
    assert "300 MiB of 1 GiB" in listed
    assert "ada" in listed


def test_the_cost_of_the_list_does_not_grow(
    admin: Client, hers: Volume, django_assert_max_num_queries
) -> None:
    with django_assert_max_num_queries(LIST_QUERIES):
        admin.get(LIST)
    VolumeFactory.create_batch(20, volume_class=hers.volume_class)
    with django_assert_max_num_queries(LIST_QUERIES):
        admin.get(LIST)


@pytest.mark.parametrize("query", ["data", "ada", "archive"])
def test_they_are_found(admin: Client, ada: User, query: str) -> None:
    VolumeFactory.create(owner=ada, name="data", claim="archive")
    VolumeFactory.create(name="other")
    assert "1 result" in admin.get(LIST, {"q": query}).text


def test_one_is_found_by_what_its_claim_is_called(admin: Client, hers: Volume) -> None:
    VolumeFactory.create(name="other")
    assert "1 result" in admin.get(LIST, {"q": str(hers.pk)}).text


def test_those_that_no_session_has_are_found(admin: Client, hers: Volume, told: FakeHost) -> None:
    told.attach(hers, is_active=False)
    VolumeFactory.create(name="forgotten")
    listed = admin.get(LIST, {"use": "none"}).text
    assert "forgotten" in listed
    assert str(hers.pk) not in listed


def test_what_is_there_is_adopted(
    admin: Client, ada: User, broker: Broker, django_capture_on_commit_callbacks
) -> None:
    said = {"owner": str(ada.pk), "name": "archive", "claim": "archive-2020"}
    with django_capture_on_commit_callbacks(execute=True):
        assert admin.post(f"{LIST}add/", said).status_code == 302
    made = Volume.objects.get()
    assert (made.owner, made.claim, made.kind) == (ada, "archive-2020", "data")
    assert broker.take() == [("settle", [])]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"claim": "../etc"}, "The name of a PersistentVolumeClaim is needed"),
        ({"claim": "taken"}, "There is a volume of this claim already."),
        ({"name": "home"}, "There is a volume named “home” already."),
        ({"name": "a\u202eb"}, "The name holds a character that cannot be shown (U+202E)."),
        ({"as_home": "on"}, "This user has a home already."),
        ({"owner": ""}, "This field is required."),
    ],
)
def test_what_cannot_be_adopted_is_refused_in_words(
    admin: Client, ada: User, change: dict[str, str], said: str
) -> None:
    services.homes_of([ada])
    VolumeFactory.create(claim="taken")
    given = {"owner": str(ada.pk), "name": "archive", "claim": "archive-2020", **change}
    answer = admin.post(f"{LIST}add/", given)
    assert answer.status_code == 200
    assert said in answer.text
    assert Volume.objects.count() == 2


def test_it_grows(admin: Client, hers: Volume) -> None:
    assert 'name="size_mib"' in admin.get(page(hers)).text
    assert admin.post(page(hers), {"size_mib": "2048", "name": "x"}).status_code == 302
    hers.refresh_from_db()
    assert (hers.name, hers.size_mib, hers.wanted_mib) == ("data", 1024, 2048)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ("1", "A volume cannot be made smaller."),
        (str(101 * GIB), "100 GiB is the most it may have."),
        ("ten", "Enter a whole number."),
    ],
)
def test_it_does_not_grow_to_what_it_may_not(
    admin: Client, hers: Volume, size: str, said: str
) -> None:
    answer = admin.post(page(hers), {"size_mib": size})
    assert answer.status_code == 200
    assert said in answer.text
    hers.refresh_from_db()
    assert (hers.size_mib, hers.wanted_mib) == (1024, None)


def test_of_one_that_cannot_grow_nothing_can_be_changed(
    admin: Client, ada: User, told: FakeHost
) -> None:
    volume = VolumeFactory.create(owner=ada, claim="archive", size_mib=None)
    told.attach(volume, "thesis")
    assert "thesis (running)" in admin.get(page(volume)).text
    assert 'name="size_mib"' not in admin.get(page(volume)).text
    assert admin.post(page(volume), {"size_mib": "2048"}).status_code == 302
    volume.refresh_from_db()
    assert (volume.size_mib, volume.wanted_mib) == (None, None)


def test_they_go_to_the_trash_and_come_back(admin: Client, hers: Volume, told: FakeHost) -> None:
    used = VolumeFactory.create(name="used")
    told.attach(used, "thesis")
    said = act(admin, "trash", hers, used)
    assert "In the trash: “data”." in said
    assert "used: The session “thesis” has this volume. Stop it first." in said
    assert "Brought back: “data”." in act(admin, "restore", hers)
    hers.refresh_from_db()
    assert hers.state == "requested"


def test_what_is_in_the_trash_is_removed_at_once(admin: Client, hers: Volume) -> None:
    assert "The volume is not in the trash." in act(admin, "remove", hers)
    act(admin, "trash", hers)
    assert "To be removed: “data”." in act(admin, "remove", hers)
    lifecycle.settle()
    assert not Volume.objects.exists()


def test_a_failed_one_is_tried_again(admin: Client, hers: Volume) -> None:
    Volume.objects.update(state="failed", reason="There is no class “x”.")
    assert "There is no class “x”." in admin.get(page(hers)).text
    act(admin, "retry", hers)
    hers.refresh_from_db()
    assert hers.state == "requested"


def test_who_may_only_look_can_do_nothing(hers: Volume) -> None:
    staff = UserFactory.create(is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_volume"))
    looker = browser_of(staff)
    assert looker.get(page(hers)).status_code == 200
    assert looker.get(f"{LIST}add/").status_code == 403
    assert looker.post(page(hers), {"size_mib": "2048"}).status_code == 403
    act(looker, "trash", hers)
    hers.refresh_from_db()
    assert (hers.state, hers.wanted_mib) == ("ready", None)


def class_form(**change: str) -> dict[str, str]:
    said = {"name": "fast", "display_name": "Fast", "position": "0", "access_mode": "one_machine"}
    return {**said, "usual_mib": "1024", "largest_mib": "2048", **change}


def test_a_class_is_made(admin: Client) -> None:
    assert admin.post(f"{CLASSES}add/", class_form(enabled="on")).status_code == 302
    made = VolumeClass.objects.get()
    assert (made.name, made.usual_mib, made.largest_mib) == ("fast", 1024, 2048)


@pytest.mark.parametrize(
    "change",
    [
        {"usual_mib": "4096"},
        {"usual_mib": "0"},
        {"largest_mib": "-1"},
        {"largest_mib": str(2**31)},
        {"usual_mib": "x"},
        {"name": "A b"},
        {"access_mode": "all"},
        {"storage_class": "A b"},
    ],
)
def test_a_class_that_makes_no_sense_is_refused(admin: Client, change: dict[str, str]) -> None:
    assert admin.post(f"{CLASSES}add/", class_form(**change)).status_code == 200
    assert not VolumeClass.objects.exists()


def test_what_sizes_say_together_is_told_once_beside_what_else_is_wrong(admin: Client) -> None:
    form = class_form(usual_mib="4096", storage_class="A b")
    said = admin.post(f"{CLASSES}add/", form).text
    assert said.count("The usual size is larger than the largest.") == 1
    assert "volume_class_sizes" not in said
    assert "This is not a name of small letters" in said


def test_a_class_of_which_there_are_volumes_is_kept(admin: Client, hers: Volume) -> None:
    assert hers.volume_class is not None
    admin.post(f"{CLASSES}{hers.volume_class.pk}/delete/", {"post": "yes"})
    assert VolumeClass.objects.filter(name="standard").exists()


# Of the session, the user and their rights too.
LIST_QUERIES = 13
