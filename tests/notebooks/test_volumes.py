"""Homes and volumes of sessions: who has what, what a run is begun with, and who comes first."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from environments.models import Environment
from notebooks import lifecycle, services
from notebooks.attached import attachments, holders_of
from notebooks.backends.contract import VolumeMount
from notebooks.backends.fake import FakeBackend
from notebooks.bookmarks import keep_bookmark
from notebooks.launch_links import link_of
from notebooks.models import NotebookSession
from notebooks.mounts import Mount
from notebooks.setup import NOTHING, Setup
from notebooks.states import SessionStatus as S
from quotas.models import ResourceProfile
from submarine_site.core.errors import DomainError, InvalidInput
from tests.broker import Broker
from tests.conftest import api_of
from tests.factories import SessionFactory, VolumeFactory
from tests.sessions import key_of, run_of, sites_homes, state_of, tick
from tests.threads import at_once
from volumes.contract import AccessMode
from volumes.models import Volume
from volumes.services import homes_of, restore_volume, trash_volume
from volumes.states import VolumeState

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small", "plain")]

SESSIONS = "/api/v2/sessions"
GOOD = {"profile": "small", "environment": "notebook-env"}

Make = Callable[..., NotebookSession]


@pytest.fixture
def data(ada: User) -> Volume:
    return VolumeFactory.create(owner=ada, name="data")


@pytest.fixture
def make(ada: User, small: ResourceProfile, plain: Environment) -> Make:
    """Make one of Ada's sessions, with these volumes at paths of their names."""

    def call(*volumes: Volume, name: str = "", read_only: bool = False) -> NotebookSession:
        setup = Setup(mounts=tuple(mount(each, read_only=read_only) for each in volumes))
        return services.create_session(owner=ada, name=name, setup=setup, **GOOD).session

    return call


def mount(volume: Volume, *, read_only: bool = False) -> Mount:
    return Mount(volume=volume.pk, path=volume.name, read_only=read_only)


def start(session: NotebookSession) -> NotebookSession:
    return services.start_session(session=session, actor=session.owner)


def stop(session: NotebookSession, backend: FakeBackend) -> None:
    services.stop_session(session=session, actor=session.owner)
    tick()
    backend.settle()
    tick()
    assert state_of(session) == S.STOPPED


def home_of(user: User) -> Volume:
    return homes_of([user])[user.pk]


# What a run is begun with.


def test_all_sessions_of_a_user_have_one_home(
    make: Make, ada: User, mallory: User, backend: FakeBackend
) -> None:
    his = SessionFactory.create(owner=mallory)
    lifecycle.launch(key_of(make()), key_of(make()), key_of(his))
    assert [spec.home for spec in backend.started] == [
        home_of(ada).spec,
        home_of(ada).spec,
        home_of(mallory).spec,
    ]
    assert backend.volumes == {home_of(ada).pk, home_of(mallory).pk}


def test_an_older_session_has_a_home_of_its_own(
    stopped: NotebookSession, data: Volume, backend: FakeBackend
) -> None:
    NotebookSession.objects.update(home=data)
    backend.ensure_volume(data.spec)
    start(stopped)
    lifecycle.launch(key_of(stopped))
    assert backend.started[-1].home == data.spec


def test_where_homes_go_with_their_runs_none_is_kept(
    make: Make, backend: FakeBackend, settings
) -> None:
    sites_homes(settings, home_size="0")
    lifecycle.launch(key_of(make()))
    assert [spec.home for spec in backend.started] == [None]
    assert not Volume.objects.exists()


def test_homes_are_what_the_settings_say(ada: User, settings) -> None:
    sites_homes(
        settings,
        home_size="1536Mi",
        home_largest="4Gi",
        storage_class="fast",
        access_mode="ReadWriteMany",
    )
    home = home_of(ada)
    assert (home.size_mib, home.storage_class) == (1536, "fast")
    assert home.access_mode == AccessMode.MANY_MACHINES


def test_a_run_has_its_volumes_at_their_paths(
    make: Make, ada: User, data: Volume, backend: FakeBackend
) -> None:
    new = VolumeFactory.create(owner=ada, name="new", state=VolumeState.REQUESTED)
    backend.ensure_volume(data.spec)
    lifecycle.launch(key_of(make(new, data, read_only=True)))
    assert backend.started[0].mounts == (
        VolumeMount(volume=new.spec, path="new", read_only=True),
        VolumeMount(volume=data.spec, path="data", read_only=True),
    )
    assert backend.volumes == {home_of(ada).pk, data.pk, new.pk}


def test_a_run_has_the_volumes_of_its_start_and_the_next_one_others(
    make: Make, ada: User, data: Volume, backend: FakeBackend
) -> None:
    backend.ensure_volume(data.spec)
    session = make(data)
    services.change_setup(session=session, changes={"mounts": ()}, actor=ada)
    lifecycle.launch(key_of(session))
    assert [each.path for each in backend.started[0].mounts] == ["data"]
    stop(session, backend)
    start(session)
    lifecycle.launch(key_of(session))
    assert backend.started[1].mounts == ()


@pytest.mark.parametrize("how", [{}, {"as_rescue": True}], ids=["restart", "rescue"])
def test_a_run_in_the_place_of_another_has_the_volumes_of_that(
    make: Make, data: Volume, single: Volume, backend: FakeBackend, how: dict[str, bool]
) -> None:
    backend.ensure_volume(data.spec)
    session = make(data)
    lifecycle.launch(key_of(session))
    other = make(single)
    mounts = (mount(single),)
    services.change_setup(session=session, changes={"mounts": mounts}, actor=session.owner)
    lifecycle.restart(key_of(session), code="node_lost", message="Its machine was lost.", **how)
    session.refresh_from_db()
    assert [each["path"] for each in run_of(session).setup["mounts"]] == ["data"]
    assert [each.session_id for each in holders_of([single])[single.pk]] == [other.pk]


def test_what_could_not_be_made_is_tried_again_at_a_start(
    make: Make, ada: User, backend: FakeBackend
) -> None:
    failed = VolumeFactory.create(owner=ada, state=VolumeState.FAILED, reason_code="volume_refused")
    lifecycle.launch(key_of(make(failed)))
    failed.refresh_from_db()
    assert failed.state == VolumeState.REQUESTED
    assert failed.pk in backend.volumes


def test_no_session_starts_with_a_folder_that_leads_to_another_volume_by_now(
    make: Make, ada: User, mallory: User, backend: FakeBackend, tmp_path: Path
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "other")
    VolumeFactory.create(owner=mallory, claim=str(tmp_path / "one"))
    adopted = VolumeFactory.create(owner=ada, name="data", claim=str(link))
    backend.claims.add(str(link))
    session = make(adopted)
    link.unlink()
    link.symlink_to(tmp_path / "one")
    lifecycle.launch(key_of(session))
    session.refresh_from_db()
    assert (session.status, session.reason_code) == (S.FAILED, "volume_refused")
    assert (
        session.reason == "The folder of the volume “data” overlaps the folder of another volume."
    )
    assert backend.started == []


def test_a_session_starts_with_a_folder_of_its_own(
    make: Make, ada: User, mallory: User, backend: FakeBackend, tmp_path: Path
) -> None:
    VolumeFactory.create(owner=mallory, claim=str(tmp_path / "one"))
    claim = str(tmp_path / "other")
    backend.claims.add(claim)
    lifecycle.launch(key_of(make(VolumeFactory.create(owner=ada, claim=claim))))
    [started] = backend.started
    assert [each.volume.claim for each in started.mounts] == [claim]


def test_what_was_lost_is_not_made_anew_by_a_start(
    make: Make, ada: User, backend: FakeBackend
) -> None:
    lost = VolumeFactory.create(
        owner=ada, name="data", state=VolumeState.FAILED, reason_code="volume_lost", reason="Gone."
    )
    session = make(lost)
    lifecycle.launch(key_of(session))
    session.refresh_from_db()
    assert (session.status, session.reason_code) == (S.FAILED, "volume_lost")
    assert session.reason == "The volume “data”: Gone."
    assert backend.started == []


def test_what_is_ready_is_not_made_anew_by_a_start(make: Make, data: Volume) -> None:
    session = make(data)
    lifecycle.launch(key_of(session))
    session.refresh_from_db()
    assert (session.status, session.reason_code) == (S.FAILED, "volume_missing")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda volume: volume.update(state="trashed"), "The volume “data” is in the trash."),
        (lambda volume: volume.delete(), "The volume that was at “data” is gone."),
        (
            lambda volume: volume.update(owner=User.objects.create(username="eve")),
            "The volume that was at “data” is gone.",
        ),
    ],
    ids=["in the trash", "removed", "another's"],
)
def test_a_volume_that_is_gone_at_its_start_fails_it_alone(
    make: Make, data: Volume, backend: FakeBackend, change: Callable[..., object], message: str
) -> None:
    session, other = make(data), make()
    change(Volume.objects.filter(pk=data.pk))
    lifecycle.launch(key_of(session), key_of(other))
    session.refresh_from_db()
    assert (session.status, session.reason_code) == (S.FAILED, "volume_gone")
    assert session.reason == message
    assert [spec.key for spec in backend.started] == [key_of(other)]


# Two that have the same.


def test_a_run_is_put_beside_those_that_have_what_one_machine_alone_may_have(
    make: Make, ada: User, data: Volume, backend: FakeBackend, settings
) -> None:
    sites_homes(settings, access_mode="ReadWriteMany")
    anywhere = VolumeFactory.create(owner=ada, name="wide", access_mode="many_machines")
    for volume in (data, anywhere):
        backend.ensure_volume(volume.spec)
    first, second, third = make(data, anywhere), make(data, anywhere), make(anywhere)
    lifecycle.launch(key_of(first))
    lifecycle.launch(key_of(second), key_of(third))
    beside = {spec.key: spec.beside for spec in backend.started}
    assert beside[key_of(second)] == {data.pk}
    assert beside[key_of(third)] == set()


def test_a_run_is_put_beside_nobody_when_the_others_have_ended(
    make: Make, data: Volume, backend: FakeBackend
) -> None:
    backend.ensure_volume(data.spec)
    first = make(data)
    lifecycle.launch(key_of(first))
    stop(first, backend)
    lifecycle.launch(key_of(make(data)))
    assert backend.started[-1].beside == set()


def test_sessions_of_one_home_are_put_beside_each_other(
    make: Make, ada: User, backend: FakeBackend, settings
) -> None:
    sites_homes(settings)
    lifecycle.launch(key_of(make()))
    assert backend.started[0].beside == set()
    lifecycle.launch(key_of(make()))
    assert backend.started[1].beside == {home_of(ada).pk}


@pytest.fixture
def single(ada: User) -> Volume:
    """One session alone may have it."""
    return VolumeFactory.create(owner=ada, name="single", access_mode="one_session")


@pytest.mark.parametrize("status", [S.REQUESTED, S.STARTING, S.RUNNING, S.STOPPING])
def test_what_one_session_alone_may_have_is_refused_to_another(
    make: Make, single: Volume, status: S
) -> None:
    thesis = make(single, name="thesis")
    NotebookSession.objects.filter(pk=thesis.pk).update(status=status)
    with pytest.raises(DomainError) as refusal:
        make(single)
    assert (refusal.value.code, refusal.value.status) == ("volume_busy", 409)
    assert refusal.value.message == (
        "The volume “single” is in use by the session “thesis”, and one session alone may have it. "
        "Stop “thesis” first."
    )
    assert NotebookSession.objects.count() == 1


def test_who_has_what_one_session_alone_may_have_starts_again(
    make: Make, single: Volume, backend: FakeBackend
) -> None:
    session = make(single)
    NotebookSession.objects.filter(pk=session.pk).update(status=S.STOPPED)
    other = make(single)
    with pytest.raises(DomainError, match="alone may have it"):
        start(session)
    NotebookSession.objects.filter(pk=other.pk).update(status=S.FAILED)
    assert start(session).status == S.REQUESTED
    assert start(session).runs.count() == 2


def test_a_home_that_one_session_alone_may_have_is_refused_to_another(make: Make, settings) -> None:
    sites_homes(settings, access_mode="ReadWriteOncePod")
    make(name="thesis")
    with pytest.raises(DomainError) as refusal:
        make()
    assert refusal.value.code == "volume_busy"
    assert "“home” is in use by the session “thesis”" in refusal.value.message


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kept", ["volume", "home"])
def test_of_twenty_that_start_with_what_one_alone_may_have_one_does(
    ada: User, single: Volume, broker: Broker, settings, kept: str
) -> None:
    setup = Setup(mounts=(mount(single),)).as_json()
    if kept == "home":
        sites_homes(settings, access_mode="ReadWriteOncePod")
        setup = {}
    sessions = SessionFactory.create_batch(20, owner=ada, status=S.STOPPED, setup=setup)

    def told(number: int) -> str:
        try:
            return start(sessions[number]).status
        except DomainError as refusal:
            return refusal.code

    assert sorted(at_once(20, told)) == ["requested", *["volume_busy"] * 19]
    assert NotebookSession.objects.filter(status=S.REQUESTED).count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_twenty_that_are_made_with_what_one_alone_may_have_one_is(
    make: Make, single: Volume, broker: Broker
) -> None:
    def told(_: int) -> str:
        try:
            return make(single).status
        except DomainError as refusal:
            return refusal.code

    assert sorted(at_once(20, told)) == ["requested", *["volume_busy"] * 19]
    assert NotebookSession.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_twenty_requests_with_one_key_and_what_one_alone_may_have_are_one_session(
    ada: User, single: Volume, broker: Broker
) -> None:
    body = in_api([{"volume": str(single.pk), "path": "single"}])
    key = {"Idempotency-Key": "k"}
    answers = at_once(20, lambda _: api_of(ada).post(SESSIONS, body, headers=key))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1


@pytest.mark.django_db(transaction=True)
def test_a_volume_is_not_deleted_under_a_start_nor_started_with_while_it_is_deleted(
    ada: User, broker: Broker
) -> None:
    volumes = VolumeFactory.create_batch(10, owner=ada)
    sessions = [
        SessionFactory.create(
            owner=ada, status=S.STOPPED, setup=Setup(mounts=(mount(volume),)).as_json()
        )
        for volume in volumes
    ]

    def call(number: int) -> str:
        pair, starts = divmod(number, 2)
        try:
            if starts:
                start(sessions[pair])
            else:
                trash_volume(volume=volumes[pair])
        except DomainError as refusal:
            return refusal.code
        return ""

    told = at_once(20, call)
    for number, (trashed, started) in enumerate(zip(told[::2], told[1::2], strict=True)):
        volume = Volume.objects.get(pk=volumes[number].pk)
        if started == "":
            assert (trashed, volume.state) == ("volume_in_use", "ready")
        else:
            assert (trashed, started, volume.state) == ("", "invalid", "trashed")


# What a session may have.


def refused(call: Callable[[], object]) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refusal:
        call()
    return refusal.value.fields


def test_volumes_of_others_are_refused(make: Make, mallory: User, data: Volume) -> None:
    his, none = VolumeFactory.create(owner=mallory, name="his"), Volume(name="none")
    message = {"mounts.1.volume": "You have no such volume."}
    assert refused(lambda: make(data, his)) == message
    assert refused(lambda: make(data, none)) == message
    assert not NotebookSession.objects.exists()


def test_the_home_is_not_within_itself(make: Make, ada: User) -> None:
    assert refused(lambda: make(home_of(ada))) == {
        "mounts.0.volume": "The volume “home” is the session's home: it is there already."
    }


def test_an_older_sessions_home_is_not_within_itself(
    stopped: NotebookSession, ada: User, data: Volume
) -> None:
    NotebookSession.objects.update(home=data)
    stopped.refresh_from_db()

    def change(*volumes: Volume) -> NotebookSession:
        mounts = tuple(map(mount, volumes))
        return services.change_setup(session=stopped, changes={"mounts": mounts}, actor=ada)

    assert list(refused(lambda: change(data))) == ["mounts.0.volume"]
    assert change(home_of(ada)).setup["mounts"][0]["path"] == "home"


def test_what_has_become_the_home_is_not_within_itself(
    stopped: NotebookSession, ada: User, data: Volume
) -> None:
    NotebookSession.objects.update(home=data)
    stopped.refresh_from_db()
    services.change_setup(session=stopped, changes={"mounts": (mount(home_of(ada)),)}, actor=ada)
    data.delete()
    assert list(refused(lambda: start(stopped))) == ["mounts.0.volume"]
    assert state_of(stopped) == S.STOPPED


def test_a_start_with_what_is_in_the_trash_is_refused_with_what_to_do(
    make: Make, ada: User, data: Volume, backend: FakeBackend
) -> None:
    backend.ensure_volume(data.spec)
    other = VolumeFactory.create(owner=ada, name="other", state=VolumeState.REQUESTED)
    session = make(other, data)
    lifecycle.launch(key_of(session))
    stop(session, backend)
    trash_volume(volume=data)
    assert refused(lambda: start(session)) == {
        "mounts.1.volume": "The volume “data” is in the trash. Restore it, or take it out of what "
        "the session starts with."
    }
    assert state_of(session) == S.STOPPED
    restore_volume(volume=data)
    assert start(session).status == S.REQUESTED


def test_a_start_with_an_own_home_in_the_trash_is_refused(
    stopped: NotebookSession, data: Volume
) -> None:
    NotebookSession.objects.update(home=data)
    trash_volume(volume=data)
    with pytest.raises(DomainError) as refusal:
        start(stopped)
    assert (refusal.value.code, refusal.value.status) == ("volume_gone", 409)


def test_deleting_a_session_leaves_its_volumes(
    make: Make, ada: User, data: Volume, backend: FakeBackend
) -> None:
    backend.ensure_volume(data.spec)
    session = make(data)
    lifecycle.launch(key_of(session))
    services.delete_session(session=session, actor=ada)
    tick()
    backend.settle()
    tick()
    assert state_of(session) == S.STOPPED
    assert backend.volumes == {home_of(ada).pk, data.pk}
    assert Volume.objects.live().count() == 2
    assert attachments([data]) == {data.pk: []}


def test_bookmarks_have_volumes_and_links_have_none(make: Make, ada: User, data: Volume) -> None:
    kept = keep_bookmark(owner=ada, name="weekly", setup=Setup(mounts=(mount(data),)), **GOOD)
    assert Setup.from_json(kept.setup).mounts == (mount(data),)
    session = make(data, name="thesis")
    assert str(data.pk) not in link_of(session)
    assert "mount" not in link_of(session)


def test_a_bookmark_of_anothers_volume_is_refused(ada: User, mallory: User) -> None:
    setup = Setup(mounts=(mount(VolumeFactory.create(owner=mallory)),))
    assert list(refused(lambda: keep_bookmark(owner=ada, name="b", setup=setup, **GOOD))) == [
        "mounts.0.volume"
    ]


# Which sessions have what.


def attached(volume: Volume) -> list[tuple[str, str, bool, bool]]:
    return [
        (each.session, each.path, each.read_only, each.is_active)
        for each in attachments([volume])[volume.pk]
    ]


def test_attachments_are_told_the_active_ones_first(ada: User, data: Volume) -> None:
    setup = Setup(mounts=(mount(data, read_only=True),)).as_json()
    for name, status in [("b", S.FAILED), ("d", S.RUNNING), ("a", S.STOPPED), ("c", S.STOPPING)]:
        SessionFactory.create(owner=ada, name=name, status=status, setup=setup)
    SessionFactory.create(owner=ada, name="without")
    assert attached(data) == [
        ("c", "data", True, True),
        ("d", "data", True, True),
        ("a", "data", True, False),
        ("b", "data", True, False),
    ]


def test_a_home_is_attached_to_all_sessions_without_one_of_their_own(
    ada: User, mallory: User, data: Volume
) -> None:
    home = home_of(ada)
    SessionFactory.create(owner=ada, name="new", status=S.RUNNING)
    SessionFactory.create(owner=ada, name="old", status=S.STOPPED, home=data)
    SessionFactory.create(owner=mallory)
    assert attached(home) == [("new", "", False, True)]
    assert attached(data) == [("old", "", False, False)]


def test_a_run_has_what_it_was_started_with_until_it_ends(
    make: Make, ada: User, data: Volume
) -> None:
    other = VolumeFactory.create(owner=ada, name="other")
    session = make(data, name="thesis")
    services.change_setup(session=session, changes={"mounts": (mount(other),)}, actor=ada)
    assert attached(data) == [("thesis", "data", False, True)]
    assert attached(other) == [("thesis", "other", False, False)]
    NotebookSession.objects.update(status=S.STOPPED)
    assert attached(data) == []


def test_a_deleted_session_has_its_volumes_until_it_has_ended(
    make: Make, ada: User, data: Volume
) -> None:
    session = make(data, name="thesis")
    services.delete_session(session=session, actor=ada)
    assert attached(data) == [("thesis", "data", False, True)]
    NotebookSession.objects.update(status=S.STOPPED)
    assert attached(data) == []


def test_attachments_of_many_volumes_take_one_query(ada: User, django_assert_num_queries) -> None:
    volumes = VolumeFactory.create_batch(5, owner=ada)
    setup = Setup(mounts=tuple(map(mount, volumes))).as_json()
    SessionFactory.create_batch(5, owner=ada, setup=setup)
    with django_assert_num_queries(1):
        found = attachments(volumes)
    assert [len(found[volume.pk]) for volume in volumes] == [5] * 5


def test_holders_are_told_of_what_cannot_be_had_everywhere(
    make: Make, ada: User, data: Volume, single: Volume
) -> None:
    wide = VolumeFactory.create(owner=ada, name="wide", access_mode="many_machines")
    thesis = make(data, single, wide, name="thesis")
    found = holders_of([data, single, wide])
    assert found.keys() == {data.pk, single.pk}
    [beside], [instead] = found[data.pk], found[single.pk]
    assert (beside.excludes, instead.excludes) == (False, True)
    assert beside.message == (
        "The volume “data” is in use by the session “thesis”, and one machine alone may have it: a "
        "session with it starts on the same machine."
    )
    assert holders_of([data], but=thesis) == {data.pk: []}


def test_on_the_one_machine_of_the_local_backend_all_may_have_what_one_machine_may(
    make: Make, data: Volume, single: Volume, settings
) -> None:
    make(data, single)
    settings.BACKEND = "local"
    assert holders_of([data, single]).keys() == {single.pk}


# What it costs.


def test_a_launch_takes_two_queries_more_for_homes_on_one_machine(
    ada: User, settings, backend: FakeBackend, django_assert_num_queries
) -> None:
    sites_homes(settings)
    sessions = SessionFactory.create_batch(5, owner=ada)
    home_of(ada)
    keys = list(map(key_of, sessions))
    # Of the five that there are without homes, the homes, and who else has them.
    with django_assert_num_queries(7):
        lifecycle.launch(*keys)
    assert len(backend.started) == 5


def test_a_launch_takes_no_query_where_there_is_nothing_to_keep(
    ada: User, settings, backend: FakeBackend, django_assert_num_queries
) -> None:
    sites_homes(settings, home_size="0")
    sessions = SessionFactory.create_batch(5, owner=ada)
    keys = list(map(key_of, sessions))
    with django_assert_num_queries(5):
        lifecycle.launch(*keys)
    assert len(backend.started) == 5


def test_a_launch_takes_two_queries_more_for_any_number_of_volumes(
    ada: User, backend: FakeBackend, django_assert_num_queries
) -> None:
    volumes = VolumeFactory.create_batch(5, owner=ada)
    for volume in volumes:
        backend.ensure_volume(volume.spec)
    setup = Setup(mounts=tuple(map(mount, volumes))).as_json()
    sessions = SessionFactory.create_batch(5, owner=ada, setup=setup)
    home_of(ada)
    keys = list(map(key_of, sessions))
    # The volumes, the homes, and who else has those that one machine alone may have.
    with django_assert_num_queries(8):
        lifecycle.launch(*keys)
    assert len(backend.started) == 5


@pytest.mark.parametrize(
    ("kinds", "queries"), [([], 8), (["one_machine"], 10), (["one_machine", "one_session"], 11)]
)
def test_a_request_takes_queries_for_volumes_alone(
    api: APIClient, ada: User, kinds: list[str], queries: int, django_assert_num_queries
) -> None:
    volumes = [VolumeFactory.create(owner=ada, access_mode=kind) for kind in kinds * 4]
    mounts = [{"volume": str(each.pk), "path": each.name} for each in volumes]
    body = {**GOOD, "name": "thesis", **({"mounts": mounts} if mounts else {})}
    with django_assert_num_queries(queries):
        assert api.post(SESSIONS, body).status_code == 201


# The API.


def in_api(mounts: Iterable[dict[str, object]]) -> dict[str, object]:
    return {**GOOD, "name": "thesis", "mounts": list(mounts)}


def test_the_api_takes_and_tells_mounts(api: APIClient, data: Volume) -> None:
    body = in_api([{"volume": str(data.pk), "path": " data/raw/ "}])
    told = api.post(SESSIONS, body).json()
    assert told["mounts"] == [{"volume": str(data.pk), "path": "data/raw", "read_only": False}]
    assert api.get(f"{SESSIONS}/{told['id']}").json() == told
    assert api.get(SESSIONS).json()["results"] == [told]


def test_the_api_tells_a_home_of_its_own(api: APIClient, ada: User, data: Volume) -> None:
    session = SessionFactory.create(owner=ada, home=data)
    assert api.get(f"{SESSIONS}/{session.pk}").json()["home"] == str(data.pk)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"path": "/data"}, "mounts.0.path"),
        ({"path": "../x"}, "mounts.0.path"),
        ({"path": ".jupyter"}, "mounts.0.path"),
        ({"path": ""}, "mounts.0.path"),
        ({"path": None}, "mounts.0.path"),
        ({"path": ["data"]}, "mounts.0.path"),
        ({"volume": "data"}, "mounts.0.volume"),
        ({"volume": None}, "mounts.0.volume"),
        ({"volume": str(UUID(int=1))}, "mounts.0.volume"),
        ({"read_only": "perhaps"}, "mounts.0.read_only"),
        ({"size": 5}, "mounts.0.size"),
    ],
)
def test_the_api_names_what_is_wrong(
    api: APIClient, data: Volume, change: dict[str, object], field: str
) -> None:
    answer = api.post(SESSIONS, in_api([{"volume": str(data.pk), "path": "data", **change}]))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert list(answer.json()["fields"]) == [field]
    assert not NotebookSession.objects.exists()


def test_of_far_too_many_mounts_none_is_looked_at(api: APIClient) -> None:
    answer = api.post(SESSIONS, in_api([{}] * 5000))
    assert answer.status_code == 400
    assert len(answer.content) < 500


def test_a_stranger_cannot_attach_a_volume(mallory: User, data: Volume) -> None:
    answer = api_of(mallory).post(SESSIONS, in_api([{"volume": str(data.pk), "path": "data"}]))
    assert (answer.status_code, answer.json()["fields"]) == (
        400,
        {"mounts.0.volume": "You have no such volume."},
    )


def test_one_key_is_for_one_set_of_mounts(api: APIClient, data: Volume) -> None:
    bodies = [in_api([{"volume": str(data.pk), "path": path}]) for path in ("a", "a", "b")]
    answers = [api.post(SESSIONS, body, headers={"Idempotency-Key": "k"}) for body in bodies]
    assert [answer.status_code for answer in answers] == [201, 201, 422]


def test_what_is_busy_is_told_by_the_api(api: APIClient, single: Volume, make: Make) -> None:
    make(single, name="thesis")
    answer = api.post(SESSIONS, {**GOOD, "mounts": [{"volume": str(single.pk), "path": "x"}]})
    assert (answer.status_code, answer.json()["code"]) == (409, "volume_busy")


# A change for the next start.


def test_what_a_session_starts_with_is_changed(
    api: APIClient, stopped: NotebookSession, data: Volume, ada: User
) -> None:
    change = {
        "name": "thesis",
        "variables": {"A": "1"},
        "mounts": [{"volume": str(data.pk), "path": "data"}],
    }
    answer = api.patch(f"{SESSIONS}/{stopped.pk}", change)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in ("name", "variables", "opens")} == {
        "name": "thesis",
        "variables": {"A": "1"},
        "opens": "",
    }
    stopped.refresh_from_db()
    assert Setup.from_json(stopped.setup) == Setup(variables={"A": "1"}, mounts=(mount(data),))
    said = stopped.events.get(message__startswith="Changed")
    assert (said.message, said.actor) == ("Changed for the next start: mounts, variables.", ada)


def test_what_is_not_named_stays(api: APIClient, ada: User, data: Volume) -> None:
    setup = Setup(mounts=(mount(data),), opens="a.ipynb")
    session = SessionFactory.create(owner=ada, setup=setup.as_json())
    api.patch(f"{SESSIONS}/{session.pk}", {"opens": ""})
    session.refresh_from_db()
    assert Setup.from_json(session.setup) == Setup(mounts=(mount(data),))
    api.patch(f"{SESSIONS}/{session.pk}", {"mounts": []})
    session.refresh_from_db()
    assert Setup.from_json(session.setup) == NOTHING


def test_a_change_that_changes_nothing_is_not_noted(api: APIClient, ada: User) -> None:
    session = SessionFactory.create(owner=ada, setup=Setup(opens="a").as_json())
    assert api.patch(f"{SESSIONS}/{session.pk}", {"opens": "a"}).status_code == 200
    assert api.patch(f"{SESSIONS}/{session.pk}", {}).status_code == 200
    assert not session.events.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"mounts": [{"volume": str(UUID(int=1)), "path": "x"}]}, "mounts.0.volume"),
        ({"variables": {"A-B": "1"}}, "variables"),
        ({"secrets": ["NONE"]}, "secrets"),
        ({"code": [{"url": "file:///etc"}]}, "code.0.url"),
        ({"opens": "../x"}, "opens"),
        ({"profile": "small"}, "profile"),
        ({"name": " "}, "name"),
    ],
)
def test_a_change_that_cannot_be_changes_nothing(
    api: APIClient, stopped: NotebookSession, change: dict[str, object], field: str
) -> None:
    before = NotebookSession.objects.values().get()
    answer = api.patch(f"{SESSIONS}/{stopped.pk}", {"name": "new", "opens": "new", **change})
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]
    assert NotebookSession.objects.values().get() == before
    assert not stopped.events.filter(to_status="", message__startswith="Changed").exists()


def test_a_change_of_what_was_changed_meanwhile_is_refused(
    api: APIClient, stopped: NotebookSession
) -> None:
    url = f"{SESSIONS}/{stopped.pk}"
    seen = api.get(url)["ETag"]
    first = api.patch(url, {"opens": "a"}, headers={"If-Match": seen})
    assert first.status_code == 200
    assert first["ETag"] != seen
    second = api.patch(url, {"opens": "b"}, headers={"If-Match": seen})
    assert (second.status_code, second.json()["code"]) == (412, "changed_meanwhile")
    for change in ({"name": "b"}, {}):
        stale = api.patch(url, change, headers={"If-Match": seen})
        assert (stale.status_code, stale.json()) == (412, second.json())
    assert api.patch(url, {"name": "b"}, headers={"If-Match": first["ETag"]}).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_two_who_change_different_things_both_do(ada: User, broker: Broker) -> None:
    session = SessionFactory.create(owner=ada, status=S.STOPPED)
    changes: list[dict[str, object]] = [
        {"opens": "a"},
        {"variables": {"A": "1"}},
        {"code": ()},
        {"mounts": ()},
    ]
    at_once(4, lambda n: services.change_setup(session=session, changes=changes[n], actor=ada))
    session.refresh_from_db()
    assert Setup.from_json(session.setup) == Setup(opens="a", variables={"A": "1"})


def test_what_was_deleted_is_not_changed(running: NotebookSession, ada: User) -> None:
    services.delete_session(session=running, actor=ada)
    with pytest.raises(DomainError) as refusal:
        services.change_setup(session=running, changes={"opens": "a"}, actor=ada)
    assert refusal.value.code == "not_found"


def test_what_runs_goes_on_as_it_is(running: NotebookSession, ada: User, data: Volume) -> None:
    services.change_setup(session=running, changes={"mounts": (mount(data),)}, actor=ada)
    assert (state_of(running), run_of(running).setup) == (S.RUNNING, {})


def test_what_was_a_home_can_be_attached_where_the_site_keeps_homes_no_more(
    make: Make, ada: User, backend: FakeBackend, settings: Any
) -> None:
    home = home_of(ada)
    with pytest.raises(InvalidInput):
        make(home)
    sites_homes(settings, home_size="0")
    lifecycle.launch(key_of(make(home)))
    [spec] = backend.started
    assert (spec.home, spec.mounts) == (None, (VolumeMount(volume=home.spec, path="home"),))
