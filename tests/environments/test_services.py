"""What people may ask of environments, and what they are refused."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connections, transaction

from accounts.models import User
from environments import services
from environments.kernels import Kernel
from environments.models import Build, Environment, EnvironmentVersion
from environments.querysets import EnvironmentQuerySet
from environments.services import Draft, Metadata
from notebooks.services import create_session, delete_session
from quotas.models import ResourceProfile
from submarine_site.core.errors import DomainError, InvalidInput
from tests.broker import Broker
from tests.contracts.eventually import eventually
from tests.factories import EnvironmentFactory, SessionFactory, UserFactory
from tests.threads import at_once, is_somebody_waiting

pytestmark = pytest.mark.django_db(transaction=True)

SCIENCE = Kernel(name="science", display_name="Science", pip=("pandas>=2",))
IMAGE = "example/notebook:1"
CALLED = Metadata(display_name="Science")
DRAFT = Draft(image=IMAGE, kernels=(SCIENCE,))


@pytest.fixture(autouse=True)
def broker() -> Broker:
    queue = Broker()
    queue.take()
    return queue


@pytest.fixture
def hers(ada: User, plain: Environment) -> Environment:
    """Ada's environment, of the image that the site offers."""
    return services.create_environment(actor=ada, name="hers", metadata=CALLED, draft=DRAFT)


def refused(
    actor: User, *, name: str = "mine", for_site: bool = False, **change: Any
) -> DomainError:
    draft = replace(DRAFT, **{k: v for k, v in change.items() if k in Draft.__slots__})
    metadata = replace(CALLED, **{k: v for k, v in change.items() if k in Metadata.__slots__})
    with pytest.raises(DomainError) as refusal:
        services.create_environment(
            actor=actor, name=name, metadata=metadata, draft=draft, for_site=for_site
        )
    return refusal.value


def test_an_environment_begins_with_a_version_that_is_to_be_built(
    hers: Environment, ada: User, broker: Broker
) -> None:
    version = EnvironmentVersion.objects.get(environment=hers)
    build = Build.objects.get()
    assert (hers.owner, hers.newest, version.number) == (ada, version, 1)
    assert (version.declared, version.created_by) == ((SCIENCE,), ada)
    assert (build.digest, build.state) == (SCIENCE.digest(IMAGE), "queued")
    assert list(version.builds.all()) == [build]
    assert [name for name, _ in broker.take()] == ["advance"]


def test_what_declares_no_packages_needs_no_build(ada: User, plain: Environment) -> None:
    draft = Draft(image=IMAGE)
    services.create_environment(actor=ada, name="bare", metadata=CALLED, draft=draft)
    assert not Build.objects.exists()


def test_two_that_declare_the_same_share_a_build(
    hers: Environment, mallory: User, broker: Broker
) -> None:
    his = services.create_environment(actor=mallory, name="his", metadata=CALLED, draft=DRAFT)
    assert his.newest is not None
    assert Build.objects.get().versions.count() == 2


def test_the_newest_version_is_offered_and_the_others_stay(hers: Environment, ada: User) -> None:
    draft = replace(DRAFT, kernels=(), note="Without pandas.")
    second = services.add_version(environment=hers, actor=ada, draft=draft)
    hers.refresh_from_db()
    assert (second.number, hers.newest) == (2, second)
    assert [version.kernels for version in hers.versions.all()] == [[], [SCIENCE.as_json()]]


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "a-", "a" * 64, "new", "a\n", "a\0", "é"])
def test_a_name_is_one_that_can_stand_in_an_address(
    ada: User, plain: Environment, name: str
) -> None:
    assert list(refused(ada, name=name).fields) == ["name"]


def test_one_sees_one_environment_of_a_name(hers: Environment, ada: User) -> None:
    for name in ("hers", "notebook-env"):
        refusal = refused(ada, name=name)
        assert (refusal.code, list(refusal.fields)) == ("name_taken", ["name"])
    assert Environment.objects.count() == 2


def test_a_name_of_anothers_is_free_and_tells_nothing(
    hers: Environment, mallory: User, operator: User
) -> None:
    physics = Group.objects.create(name="physics")
    site = services.create_environment(
        actor=operator, name="theirs", metadata=CALLED, draft=DRAFT, for_site=True
    )
    site.groups.add(physics)
    for name in ("hers", "theirs"):
        made = services.create_environment(actor=mallory, name=name, metadata=CALLED, draft=DRAFT)
        assert Environment.objects.visible_to(mallory).get(name=name) == made
    # Nor is one of the site kept from having it, which then both see.
    made = services.create_environment(
        actor=operator, name="hers", metadata=CALLED, draft=DRAFT, for_site=True
    )
    assert Environment.objects.visible_to(mallory).filter(name="hers").count() == 2
    assert Environment.objects.filter(name="hers").count() == 3


def test_a_session_gets_the_environment_that_its_owner_means(
    hers: Environment, ada: User, mallory: User, operator: User, small: ResourceProfile
) -> None:
    site = services.create_environment(
        actor=operator, name="hers", metadata=CALLED, draft=DRAFT, for_site=True
    )
    for owner, meant in ((ada, hers), (mallory, site)):
        session = create_session(owner=owner, profile="small", environment="hers").session
        assert session.environment == meant


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"display_name": "x" * 81}, "display_name"),
        ({"display_name": "a\u202eb"}, "display_name"),
        ({"description": "x" * 201}, "description"),
        ({"description": "a\0b"}, "description"),
        ({"groups": ("physics",)}, "groups"),
        ({"groups": ("a\0b",)}, "groups"),
        ({"image": "evil/image:1"}, "image"),
        ({"kernels": (replace(SCIENCE, pip=("--x",)),)}, "kernels"),
        ({"smallest_cpu_milli": -1}, "smallest_cpu_milli"),
        ({"smallest_memory_mib": 10**9}, "smallest_memory_mib"),
        ({"note": "x" * 201}, "note"),
        ({"successor": "none"}, "successor"),
    ],
)
def test_what_is_wrong_is_named(
    ada: User, plain: Environment, change: dict[str, Any], field: str
) -> None:
    Group.objects.create(name="physics")
    assert list(refused(ada, **change).fields) == [field]
    assert not Build.objects.exists()


def test_a_user_builds_on_what_the_site_offers_to_them(ada: User, plain: Environment) -> None:
    EnvironmentFactory.create(name="secret", newest__image="example/secret:1").groups.add(
        Group.objects.create(name="physics")
    )
    EnvironmentFactory.create(name="of-mallory", owner=UserFactory.create())
    assert list(services.images_for(ada)) == [IMAGE]
    assert "example/notebook:1" in refused(ada, image="example/secret:1").message
    draft = replace(DRAFT, image="")
    mine = services.create_environment(actor=ada, name="mine", metadata=CALLED, draft=draft)
    assert mine.newest is not None
    assert mine.newest.image == IMAGE


def test_an_operator_makes_environments_of_the_site_of_any_image(operator: User) -> None:
    draft = Draft(image=f"registry.example.com:5000/a/b@sha256:{'0' * 64}")
    made = services.create_environment(
        actor=operator, name="site", metadata=CALLED, draft=draft, for_site=True
    )
    assert made.owner is None
    for image in ("a b", "-x", "a" * 256, "$(id)", "docker://x", "a:1:2", "https://x/a", "X/a"):
        assert list(refused(operator, for_site=True, image=image).fields) == ["image"]


def test_of_the_site_they_are_made_by_operators_alone(ada: User, plain: Environment) -> None:
    refusal = refused(ada, for_site=True)
    assert (refusal.code, refusal.status) == ("not_allowed", 403)


def test_a_site_may_keep_environments_to_its_operators(
    ada: User, operator: User, plain: Environment, settings
) -> None:
    settings.ENVIRONMENTS_OF_USERS = False
    assert refused(ada).code == "not_allowed"
    services.create_environment(actor=operator, name="mine", metadata=CALLED, draft=DRAFT)


def test_one_user_has_a_most_of_environments(ada: User, plain: Environment) -> None:
    EnvironmentFactory.create_batch(services.MAX_OWN, owner=ada)
    assert refused(ada).code == "too_many_environments"


def test_an_owner_shares_with_groups_they_are_in(hers: Environment, ada: User) -> None:
    physics, chemistry = (Group.objects.create(name=name) for name in ("physics", "chemistry"))
    ada.groups.add(physics)
    grace = UserFactory.create()
    grace.groups.add(physics)
    assert not Environment.objects.offered_to(grace).filter(pk=hers.pk).exists()
    changed = {"groups": ("physics",)}
    services.update_environment(environment=hers, actor=ada, changes=changed)
    assert Environment.objects.offered_to(grace).filter(pk=hers.pk).exists()
    ada.groups.set([chemistry])
    # What it is for already stays.
    services.update_environment(environment=hers, actor=ada, changes={"description": "For us."})
    assert list(hers.groups.all()) == [physics]


@pytest.fixture
def lab(ada: User, mallory: User) -> Group:
    """A group of Ada's, Mallory's and Bob's."""
    lab = Group.objects.create(name="lab")
    for user in (ada, mallory, UserFactory.create(username="bob")):
        user.groups.add(lab)
    return lab


def made(owner: User | None, *groups: Group, **change: Any) -> Environment:
    environment = EnvironmentFactory.create(name="pytorch", owner=owner, **change)
    environment.groups.set(groups)
    return environment


def share(environment: Environment, *groups: str) -> str:
    """Share it with these groups; the code of the refusal, or nothing."""
    owner = environment.owner
    assert owner is not None
    try:
        services.update_environment(
            environment=environment, actor=owner, changes={"groups": groups}
        )
    except DomainError as refusal:
        return refusal.code
    return ""


TAKEN = "The group “lab” has an environment named “pytorch” already. Share one of another name."


def test_what_a_name_means_to_a_group_is_not_taken_over(
    ada: User, mallory: User, lab: Group
) -> None:
    kept_back = made(mallory)
    bobs = made(User.objects.get(username="bob"))
    assert share(bobs, "lab") == ""
    with pytest.raises(DomainError) as refusal:
        services.update_environment(
            environment=kept_back, actor=mallory, changes={"groups": ("lab",), "description": "X."}
        )
    assert (refusal.value.code, refusal.value.status) == ("name_taken", 409)
    assert dict(refusal.value.fields) == {"groups": TAKEN}
    kept_back.refresh_from_db()
    assert (list(kept_back.groups.all()), kept_back.description) == ([], "")
    assert list(Environment.objects.visible_to(ada).filter(name="pytorch")) == [bobs]
    # No word of other groups that have it, in which he is not.
    bobs.groups.add(Group.objects.create(name="a-secret"))
    with pytest.raises(DomainError, match=TAKEN):
        services.update_environment(
            environment=kept_back, actor=mallory, changes={"groups": ("lab",)}
        )
    # Other groups may have it, and this one once it is given up.
    chess = Group.objects.create(name="chess")
    mallory.groups.add(chess)
    assert share(kept_back, "chess") == ""
    services.delete_environment(environment=bobs, actor=User.objects.get(username="bob"))
    assert share(kept_back, "chess", "lab") == ""


@pytest.mark.parametrize(
    ("of", "groups", "change", "code"),
    [
        ("bob", ["lab"], {}, "name_taken"),
        ("bob", ["lab"], {"hidden": True}, "name_taken"),
        # Its owner may enable it again.
        ("bob", ["lab"], {"enabled": False}, "name_taken"),
        ("bob", [], {}, ""),
        ("site", ["lab"], {}, "name_taken"),
        ("site", [], {}, "name_taken"),
        ("site", [], {"hidden": True}, "name_taken"),
        ("site", [], {"enabled": False}, ""),
        ("site", ["lab"], {"enabled": False}, ""),
    ],
)
@pytest.mark.usefixtures("lab")
def test_a_name_that_a_group_has_is_not_shared_with_it(
    mallory: User, of: str, groups: list[str], change: dict[str, Any], code: str
) -> None:
    owner = User.objects.filter(username=of).first()
    made(owner, *Group.objects.filter(name__in=groups), **change)
    assert share(made(mallory), "lab") == code


@pytest.mark.usefixtures("lab")
def test_what_the_site_has_for_other_groups_is_not_told(mallory: User) -> None:
    made(None, Group.objects.create(name="physics"))
    assert share(made(mallory), "lab") == ""


def test_what_is_shared_already_stays_so(mallory: User, lab: Group) -> None:
    his = made(mallory, lab)
    made(User.objects.get(username="bob"), lab)
    assert share(his, "lab") == ""
    services.update_environment(
        environment=his, actor=mallory, changes={"description": "X.", "groups": ("lab",)}
    )
    assert share(his) == ""
    assert share(his, "lab") == "name_taken"


def test_one_is_not_made_for_a_group_that_has_the_name(
    mallory: User, lab: Group, plain: Environment
) -> None:
    # Which he does not see.
    made(User.objects.get(username="bob"), lab, enabled=False)
    refusal = refused(mallory, name="pytorch", groups=("lab",))
    assert (refusal.code, dict(refusal.fields)) == ("name_taken", {"groups": TAKEN})
    assert not mallory.environments.exists()
    services.create_environment(actor=mallory, name="pytorch", metadata=CALLED, draft=DRAFT)


def test_of_two_who_share_a_name_at_once_one_does(
    ada: User, mallory: User, lab: Group, plain: Environment
) -> None:
    bobs = made(User.objects.get(username="bob"))
    kept_back = made(mallory)

    def shared_later() -> str:
        return share(kept_back, "lab")

    def made_later() -> str:
        return refused(ada, name="pytorch", groups=("lab",)).code

    def apart(call: Callable[[], str]) -> str:
        try:
            return call()
        finally:
            connections.close_all()

    for later in (shared_later, made_later):
        share(bobs)
        with ThreadPoolExecutor(1) as threads:
            with transaction.atomic():
                assert share(bobs, "lab") == ""
                # Who is later sees nothing of it yet.
                other = threads.submit(apart, later)
                eventually(is_somebody_waiting)
            assert other.result() == "name_taken"
        assert list(Environment.objects.filter(groups=lab)) == [bobs]


def test_of_two_who_edit_the_second_is_told(hers: Environment, ada: User) -> None:
    seen = hers.etag
    services.update_environment(
        environment=hers, actor=ada, changes={"description": "One."}, expected=seen
    )
    with pytest.raises(DomainError) as refusal:
        services.update_environment(
            environment=hers, actor=ada, changes={"description": "Other."}, expected=seen
        )
    hers.refresh_from_db()
    assert (refusal.value.code, refusal.value.status) == ("changed_meanwhile", 412)
    assert hers.description == "One."


def test_a_new_version_is_a_change_too(hers: Environment, ada: User) -> None:
    seen = hers.etag
    services.add_version(environment=hers, actor=ada, draft=DRAFT)
    with pytest.raises(DomainError) as refusal:
        services.update_environment(environment=hers, actor=ada, changes={}, expected=seen)
    assert refusal.value.code == "changed_meanwhile"


def test_of_two_who_make_a_version_of_what_they_read_the_second_is_told(
    hers: Environment, ada: User
) -> None:
    seen = hers.etag

    def add(number: int) -> str:
        draft = replace(DRAFT, note=f"{number}")
        try:
            services.add_version(environment=hers, actor=ada, draft=draft, expected=seen)
        except DomainError as refusal:
            return refusal.code
        return "made"

    assert sorted(at_once(6, add)) == ["changed_meanwhile"] * 5 + ["made"]
    assert [version.number for version in hers.versions.all()] == [2, 1]


def test_nobody_is_sent_to_a_successor_that_is_deleted(
    hers: Environment, ada: User, operator: User, plain: Environment
) -> None:
    services.update_environment(environment=plain, actor=ada, changes={"successor": "hers"})
    plain.refresh_from_db()
    seen = plain.etag
    services.delete_environment(environment=hers, actor=ada)
    plain.refresh_from_db()
    assert plain.successor is None
    assert plain.etag != seen


def test_versions_made_at_once_are_numbered_each(hers: Environment, ada: User) -> None:
    made = at_once(
        6, lambda _: services.add_version(environment=hers, actor=ada, draft=DRAFT).number
    )
    assert sorted(made) == [2, 3, 4, 5, 6, 7]
    hers.refresh_from_db()
    assert hers.newest == hers.versions.get(number=7)


def test_of_many_who_make_one_of_a_name_one_does(ada: User, plain: Environment) -> None:
    def make(_: int) -> str:
        try:
            services.create_environment(actor=ada, name="mine", metadata=CALLED, draft=DRAFT)
        except DomainError as refusal:
            return refusal.code
        return "made"

    assert sorted(at_once(6, make)) == ["made", *["name_taken"] * 5]


def test_of_many_operators_who_make_one_of_a_name_one_does(
    operator: User, plain: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All have looked before any has made it.
    monkeypatch.setattr(EnvironmentQuerySet, "named", lambda self, *_: self.none())

    def make(_: int) -> str:
        try:
            services.create_environment(
                actor=operator, name="mine", metadata=CALLED, draft=DRAFT, for_site=True
            )
        except DomainError as refusal:
            return refusal.code
        return "made"

    assert sorted(at_once(4, make)) == ["made", *["name_taken"] * 3]
    assert Environment.objects.filter(name="mine").count() == 1


def test_many_make_one_of_a_name_each(plain: Environment) -> None:
    people = UserFactory.create_batch(4)

    def make(number: int) -> User | None:
        return services.create_environment(
            actor=people[number], name="mine", metadata=CALLED, draft=DRAFT
        ).owner

    assert set(at_once(4, make)) == set(people)


def test_of_many_who_change_what_they_read_one_does(hers: Environment, ada: User) -> None:
    seen = hers.etag

    def change(number: int) -> str:
        try:
            services.update_environment(
                environment=hers, actor=ada, changes={"description": f"{number}"}, expected=seen
            )
        except DomainError as refusal:
            return refusal.code
        return "changed"

    assert sorted(at_once(6, change)) == ["changed", *["changed_meanwhile"] * 5]


def test_what_a_session_has_is_not_deleted(
    hers: Environment, ada: User, small: ResourceProfile
) -> None:
    session = create_session(owner=ada, profile="small", environment="hers", name="thesis").session
    with pytest.raises(DomainError) as refusal:
        services.delete_environment(environment=hers, actor=ada)
    assert refusal.value.code == "environment_in_use"
    assert refusal.value.message == (
        "It is in use by 1 session that 1 person has. Yours: “thesis”. Delete those sessions "
        "first, or hide the environment."
    )
    delete_session(session=session, actor=ada)
    services.delete_environment(environment=hers, actor=ada)
    assert not Environment.objects.visible_to(ada).filter(name="hers").exists()


def test_whose_the_sessions_are_is_not_told_to_others(hers: Environment, ada: User) -> None:
    SessionFactory.create(environment=hers, name="of another")
    with pytest.raises(DomainError) as refusal:
        services.delete_environment(environment=hers, actor=ada)
    assert "of another" not in refusal.value.message


def test_the_name_of_what_is_deleted_is_free(hers: Environment, ada: User) -> None:
    services.delete_environment(environment=hers, actor=ada)
    services.delete_environment(environment=hers, actor=ada)
    again = services.create_environment(actor=ada, name="hers", metadata=CALLED, draft=DRAFT)
    assert Environment.objects.visible_to(ada).get(name="hers") == again
    for change in (
        lambda: services.add_version(environment=hers, actor=ada, draft=DRAFT),
        lambda: services.update_environment(environment=hers, actor=ada, changes={}),
    ):
        with pytest.raises(DomainError) as refusal:
            change()
        assert refusal.value.code == "not_found"


def test_what_is_seeded_stays_as_operators_changed_it() -> None:
    first = services.seed_environment(name="a", display_name="A", image=IMAGE)
    Environment.objects.update(display_name="B")
    again = services.seed_environment(name="a", display_name="A", image="example/other:2")
    assert (again.pk, again.display_name) == (first.pk, "B")
    assert EnvironmentVersion.objects.get().image == IMAGE


def test_a_url_is_taken_where_the_site_allows_it(ada: User, plain: Environment, settings) -> None:
    kernels = (replace(SCIENCE, pip=("x @ https://example.com/x-1-py3-none-any.whl",)),)
    assert list(refused(ada, kernels=kernels).fields) == ["kernels"]
    settings.ENVIRONMENTS_ALLOW_URLS = True
    draft = replace(DRAFT, kernels=kernels)
    services.create_environment(actor=ada, name="mine", metadata=CALLED, draft=draft)


def test_bad_input_is_of_the_one_kind(ada: User, plain: Environment) -> None:
    assert isinstance(refused(ada, name="A"), InvalidInput)


def test_who_may_change_the_site_s_environments_may_not_for_that_delete_them(
    plain: Environment, ada: User
) -> None:
    editor = UserFactory.create(is_staff=True)
    editor.user_permissions.add(Permission.objects.get(codename="change_environment"))
    with pytest.raises(DomainError) as refusal:
        services.delete_environment(environment=plain, actor=editor)
    assert (refusal.value.code, refusal.value.status) == ("not_allowed", 403)
    assert Environment.objects.visible_to(ada).filter(pk=plain.pk).exists()
