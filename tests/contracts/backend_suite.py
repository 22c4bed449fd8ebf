"""What every backend does, as tests. A backend's own tests subclass `BackendContract` and give it a
`site`: the backend, and the means to make happen what it cannot be asked for.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from notebooks.backends.contract import (
    Backend,
    Observed,
    Phase,
    RunKey,
    RunState,
    SessionSpec,
    VolumeMount,
)
from submarine_site.core.outside import BackendRefused
from submarine_site.core.resources import Resources
from tests.contracts.eventually import eventually
from volumes.contract import VolumeSpec


class Site(ABC):
    """A backend to try. Each method waits, within bounds, until what it says is so."""

    backend: Backend

    @abstractmethod
    def await_ready(self, key: RunKey) -> Observed:
        """See the server answer."""

    @abstractmethod
    def await_gone(self, key: RunKey) -> None:
        """See nothing left of a run that was stopped."""

    @abstractmethod
    def crash(self, key: RunKey) -> int:
        """Have the server end by itself; the exit code that is to be seen."""

    @abstractmethod
    def write_log(self, key: RunKey, line: str) -> None:
        """Have the server write one line to its log."""

    @abstractmethod
    def write_file(self, key: RunKey, path: str, text: str) -> bool:
        """Have the server write a word into a file, which is below its home; whether it could."""

    @abstractmethod
    def read_file(self, key: RunKey, path: str) -> str:
        """What the server reads in that file; empty if there is none."""

    @abstractmethod
    def claim(self) -> str:
        """Something new that an operator can give to be a volume."""

    @abstractmethod
    def claim_of_nothing(self) -> str:
        """What names nothing, and could be such a claim."""


def home_of(spec: SessionSpec) -> VolumeSpec:
    """The home of a run that has one."""
    assert spec.home is not None
    return spec.home


def a_volume(*, size_mib: int = 1, claim: str = "") -> VolumeSpec:
    return VolumeSpec(
        id=uuid4(), size_mib=size_mib, claim=claim, display_name="Measurements", owner="ada"
    )


def a_spec(
    *,
    session_id: UUID | None = None,
    run_id: UUID | None = None,
    home: VolumeSpec | None = None,
    mounts: tuple[VolumeMount, ...] = (),
) -> SessionSpec:
    key = RunKey(session_id or uuid4(), run_id or uuid4())
    return SessionSpec(
        key=key,
        display_name="Ada's notes",
        owner="ada",
        image="submarine/test-server:1",
        resources=Resources(cpu_milli=50, memory_mib=128),
        base_url=f"/session/{key.session_id}/",
        token=uuid4().hex,
        home=home or VolumeSpec(id=uuid4()),
        mounts=mounts,
    )


def first_change(backend: Backend) -> tuple[RunKey, Observed | None]:
    """The first run about which something changes."""
    return next(change for batch in backend.changes() for change in batch.items())


def told(backend: Backend, key: RunKey) -> Observed:
    """What a look at a run shows, but for its phases: a cluster learns their times late."""
    seen = backend.observe(key)
    assert seen is not None
    return replace(seen, phases=())


def all_told(backend: Backend) -> dict[RunKey, Observed]:
    """What a look at all runs shows, which need not tell how each came to be."""
    return {key: replace(seen, phases=()) for key, seen in backend.observe_all().items()}


def assert_cannot_start(site: Site, spec: SessionSpec) -> None:
    """It is refused, or seen to lack what it is to be attached to."""
    assert start_or_code(site.backend, spec) in {"", "volume_missing"}
    if site.backend.observe(spec.key) is not None:
        eventually(lambda: (seen := site.backend.observe(spec.key)) and seen.failure_code)
        seen = site.backend.observe(spec.key)
        assert seen is not None
        assert (seen.state, seen.failure_code) == (RunState.STARTING, "volume_missing")


def start_or_code(backend: Backend, spec: SessionSpec) -> str:
    """Start a run; the code with which it was refused, if it was."""
    try:
        backend.start(spec)
    except BackendRefused as refusal:
        return refusal.code
    return ""


def start_ready(
    site: Site,
    *mounts: VolumeMount,
    home: VolumeSpec | None = None,
    beside: frozenset[UUID] = frozenset(),
) -> SessionSpec:
    """Start a run with volumes, all of which are made if they are not there."""
    spec = replace(a_spec(home=home, mounts=mounts), beside=beside)
    for volume in (home_of(spec), *(mount.volume for mount in mounts)):
        site.backend.ensure_volume(volume)
    site.backend.start(spec)
    site.await_ready(spec.key)
    return spec


def stop(site: Site, spec: SessionSpec) -> None:
    site.backend.stop(spec.key)
    site.await_gone(spec.key)


def assert_in_use(site: Site, volume: VolumeSpec) -> None:
    with pytest.raises(BackendRefused) as refusal:
        site.backend.delete_volume(volume)
    assert refusal.value.code == "volume_in_use"


class BackendContract:
    """Subclasses have a fixture `site`."""

    @pytest.fixture
    def start(self, site: Site) -> Callable[[], SessionSpec]:
        def start() -> SessionSpec:
            spec = a_spec()
            site.backend.ensure_volume(home_of(spec))
            site.backend.start(spec)
            return spec

        return start

    @pytest.fixture
    def ready(self, site: Site, start: Callable[[], SessionSpec]) -> SessionSpec:
        spec = start()
        site.await_ready(spec.key)
        return spec

    # Starting.

    def test_a_run_that_was_never_started_is_not_there(self, site: Site) -> None:
        assert site.backend.observe(a_spec().key) is None
        assert site.backend.observe_all() == {}

    def test_a_started_run_is_there_at_once(
        self, site: Site, start: Callable[[], SessionSpec]
    ) -> None:
        spec = start()
        seen = site.backend.observe(spec.key)
        assert seen is not None
        assert seen.key == spec.key
        assert seen.state in {RunState.STARTING, RunState.READY}
        assert seen.exit_code is None

    def test_a_started_run_becomes_ready_at_an_address(
        self, site: Site, start: Callable[[], SessionSpec]
    ) -> None:
        seen = site.await_ready(start().key)
        assert seen.state is RunState.READY
        assert seen.address.startswith(("unix:/", "http://"))

    def test_a_ready_run_tells_how_long_each_phase_took(
        self, site: Site, ready: SessionSpec
    ) -> None:
        seen = site.backend.observe(ready.key)
        assert seen is not None
        assert [phase.phase for phase in seen.phases][-2:] == [Phase.STARTING_SERVER, Phase.READY]
        assert seen.phases[-1].finished_at is None
        assert all(phase.started_at.utcoffset() == timedelta(0) for phase in seen.phases)
        for phase, following in zip(seen.phases, seen.phases[1:], strict=False):
            assert phase.finished_at is not None
            assert phase.started_at <= phase.finished_at <= following.started_at

    def test_a_second_start_leaves_the_run_alone(self, site: Site, ready: SessionSpec) -> None:
        before = told(site.backend, ready.key)
        site.backend.start(ready)
        assert told(site.backend, ready.key) == before

    def test_many_starts_at_once_give_one_run(self, site: Site) -> None:
        spec = a_spec()
        site.backend.ensure_volume(home_of(spec))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(site.backend.start, [spec] * 8))
        site.await_ready(spec.key)
        assert list(site.backend.observe_all()) == [spec.key]

    def test_a_run_without_its_home_does_not_start(self, site: Site) -> None:
        assert_cannot_start(site, a_spec())

    def test_a_run_without_its_home_starts_once_there_is_one(self, site: Site) -> None:
        spec = a_spec()
        assert_cannot_start(site, spec)
        site.backend.ensure_volume(home_of(spec))
        site.backend.start(spec)
        assert site.await_ready(spec.key).state is RunState.READY

    def test_all_runs_are_seen_in_one_look(
        self, site: Site, start: Callable[[], SessionSpec]
    ) -> None:
        ada, grace = start(), start()
        site.await_ready(grace.key)
        site.await_ready(ada.key)
        assert all_told(site.backend) == {
            key: told(site.backend, key) for key in (ada.key, grace.key)
        }

    # Stopping.

    def test_a_stopped_run_is_gone_in_the_end(self, site: Site, ready: SessionSpec) -> None:
        site.backend.stop(ready.key)
        site.await_gone(ready.key)
        assert site.backend.observe(ready.key) is None
        assert site.backend.observe_all() == {}

    def test_a_run_that_is_being_stopped_is_never_ready(
        self, site: Site, ready: SessionSpec
    ) -> None:
        site.backend.stop(ready.key)
        seen = site.backend.observe(ready.key)
        assert seen is None or seen.state is RunState.STOPPING

    def test_a_run_can_be_stopped_while_it_starts(
        self, site: Site, start: Callable[[], SessionSpec]
    ) -> None:
        spec = start()
        site.backend.stop(spec.key)
        site.await_gone(spec.key)
        assert site.backend.observe(spec.key) is None

    def test_stopping_twice_is_the_same_as_once(self, site: Site, ready: SessionSpec) -> None:
        site.backend.stop(ready.key)
        site.backend.stop(ready.key)
        site.await_gone(ready.key)
        site.backend.stop(ready.key)
        assert site.backend.observe(ready.key) is None

    def test_stopping_what_was_never_started_succeeds(self, site: Site) -> None:
        key = a_spec().key
        site.backend.stop(key)
        assert site.backend.observe(key) is None

    def test_stopping_one_run_leaves_the_others_alone(
        self, site: Site, start: Callable[[], SessionSpec]
    ) -> None:
        ada, grace = start(), start()
        site.await_ready(ada.key)
        site.await_ready(grace.key)
        before = told(site.backend, grace.key)
        site.backend.stop(ada.key)
        site.await_gone(ada.key)
        assert told(site.backend, grace.key) == before

    def test_a_session_can_have_another_run(self, site: Site, ready: SessionSpec) -> None:
        site.backend.stop(ready.key)
        site.await_gone(ready.key)
        again = a_spec(session_id=ready.key.session_id, home=ready.home)
        site.backend.start(again)
        assert site.await_ready(again.key).state is RunState.READY

    # Ending by itself.

    def test_a_run_that_ended_by_itself_is_seen_with_its_exit_code(
        self, site: Site, ready: SessionSpec
    ) -> None:
        code = site.crash(ready.key)
        seen = site.backend.observe(ready.key)
        assert seen is not None
        assert seen.state is RunState.EXITED
        assert seen.exit_code == code
        assert all_told(site.backend) == {ready.key: replace(seen, phases=())}

    def test_the_phases_of_a_run_that_ended_are_over(self, site: Site, ready: SessionSpec) -> None:
        site.crash(ready.key)
        seen = site.backend.observe(ready.key)
        assert seen is not None
        assert seen.phases[-1].finished_at is not None

    def test_a_run_that_ended_is_not_begun_again(self, site: Site, ready: SessionSpec) -> None:
        site.crash(ready.key)
        before = told(site.backend, ready.key)
        site.backend.start(ready)
        assert told(site.backend, ready.key) == before

    def test_stopping_a_run_that_ended_removes_what_is_left(
        self, site: Site, ready: SessionSpec
    ) -> None:
        site.crash(ready.key)
        site.backend.stop(ready.key)
        site.await_gone(ready.key)
        assert site.backend.observe_all() == {}

    # Logs.

    def test_there_is_no_log_of_what_never_ran(self, site: Site) -> None:
        assert site.backend.logs(a_spec().key, lines=10) == ""

    def test_the_last_lines_of_the_log_are_given(self, site: Site, ready: SessionSpec) -> None:
        for line in ("first", "second", "third"):
            site.write_log(ready.key, line)
        assert site.backend.logs(ready.key, lines=2) == "second\nthird\n"

    def test_the_log_is_there_after_the_end(self, site: Site, ready: SessionSpec) -> None:
        site.write_log(ready.key, "farewell")
        site.crash(ready.key)
        assert "farewell\n" in site.backend.logs(ready.key, lines=50)

    # Changes.

    def test_a_change_is_told(self, site: Site, start: Callable[[], SessionSpec]) -> None:
        with ThreadPoolExecutor(1) as pool:
            told = pool.submit(first_change, site.backend)
            # Changes may be missed, above all before the watcher is up: it takes a run or two.
            started = set()
            while not told.done():
                started.add(start().key)
                wait([told], timeout=1)
        key, seen = told.result()
        assert key in started
        assert seen is not None
        assert seen.key == key

    # Volumes.

    def test_a_volume_can_be_asked_for_again(self, site: Site, ready: SessionSpec) -> None:
        site.backend.ensure_volume(home_of(ready))
        seen = site.backend.observe(ready.key)
        assert seen is not None
        assert seen.state is RunState.READY

    def test_every_volume_is_seen(self, site: Site) -> None:
        volumes = [a_volume(), a_volume(size_mib=2)]
        for volume in volumes:
            site.backend.ensure_volume(volume)
        assert set(site.backend.observe_volumes()) == {volume.id for volume in volumes}
        for volume in volumes:
            site.backend.delete_volume(volume)
        eventually(lambda: site.backend.observe_volumes() == {})

    def test_a_volume_that_is_as_large_is_left_as_it_is(self, site: Site) -> None:
        volume = a_volume(size_mib=2)
        site.backend.ensure_volume(volume)
        site.backend.grow_volume(volume)
        site.backend.grow_volume(replace(volume, size_mib=1))
        assert list(site.backend.observe_volumes()) == [volume.id]

    def test_a_volume_that_is_not_there_does_not_grow(self, site: Site) -> None:
        with pytest.raises(BackendRefused) as refusal:
            site.backend.grow_volume(a_volume())
        assert refusal.value.code == "volume_missing"

    def test_deleting_a_volume_that_is_not_there_succeeds(self, site: Site) -> None:
        site.backend.delete_volume(VolumeSpec(id=uuid4()))

    def test_a_volume_in_use_is_not_deleted(self, site: Site, ready: SessionSpec) -> None:
        assert_in_use(site, home_of(ready))

    def test_another_volume_is_deleted_while_a_run_goes_on(
        self, site: Site, ready: SessionSpec
    ) -> None:
        volume = VolumeSpec(id=uuid4())
        site.backend.ensure_volume(volume)
        site.backend.delete_volume(volume)
        assert_cannot_start(site, a_spec(home=volume))

    def test_a_volume_is_deleted_once_its_run_is_gone(self, site: Site, ready: SessionSpec) -> None:
        stop(site, ready)
        site.backend.delete_volume(home_of(ready))
        site.backend.delete_volume(home_of(ready))
        assert_cannot_start(site, a_spec(home=ready.home))

    # Volumes of a run.

    def test_what_is_in_home_and_volumes_is_there_for_the_next_run(self, site: Site) -> None:
        volume = a_volume()
        spec = start_ready(site, VolumeMount(volume=volume, path="work/data"))
        assert site.write_file(spec.key, "notes", "home")
        assert site.write_file(spec.key, "work/data/table", "volume")
        stop(site, spec)
        again = start_ready(site, VolumeMount(volume=volume, path="data"), home=spec.home)
        assert site.read_file(again.key, "notes") == "home"
        assert site.read_file(again.key, "data/table") == "volume"
        assert site.read_file(again.key, "work/data/table") == ""

    def test_two_runs_have_the_same_volume_at_once(self, site: Site) -> None:
        volume = a_volume()
        ada = start_ready(site, VolumeMount(volume=volume, path="data"))
        grace = start_ready(
            site, VolumeMount(volume=volume, path="shared"), beside=frozenset({volume.id})
        )
        assert site.write_file(ada.key, "data/table", "ada")
        assert site.read_file(grace.key, "shared/table") == "ada"
        stop(site, ada)
        assert_in_use(site, volume)
        stop(site, grace)
        site.backend.delete_volume(volume)

    def test_what_is_attached_to_be_read_cannot_be_written_to(self, site: Site) -> None:
        own, shared = a_volume(), a_volume()
        writer = start_ready(site, VolumeMount(volume=shared, path="shared"))
        assert site.write_file(writer.key, "shared/table", "ada")
        reader = start_ready(
            site,
            VolumeMount(volume=own, path="own"),
            VolumeMount(volume=shared, path="shared", read_only=True),
            beside=frozenset({shared.id}),
        )
        assert site.read_file(reader.key, "shared/table") == "ada"
        assert not site.write_file(reader.key, "shared/table", "grace")
        assert not site.write_file(reader.key, "shared/another", "grace")
        assert site.write_file(reader.key, "own/table", "grace")
        assert site.write_file(writer.key, "shared/table", "again")
        assert site.read_file(reader.key, "shared/table") == "again"

    def test_a_run_without_its_volume_does_not_start(self, site: Site) -> None:
        spec = a_spec(mounts=(VolumeMount(volume=a_volume(), path="data"),))
        site.backend.ensure_volume(home_of(spec))
        assert_cannot_start(site, spec)

    def test_a_run_is_described_by_what_was_kept_with_it(self, site: Site) -> None:
        before = timezone.now()
        record = {"owner": "ada", "run": {"kernels": [], "cpu_milli": 50}, "setup": {"A": "“1”"}}
        spec = replace(a_spec(), record=record)
        site.backend.ensure_volume(home_of(spec))
        site.backend.start(spec)
        gone = RunKey(uuid4(), uuid4())
        [(key, description)] = site.backend.describe([spec.key, gone]).items()
        assert (key, description.owner, description.display_name, description.record) == (
            *(spec.key, "ada", "Ada's notes"),
            record,
        )
        assert description.created_at is not None
        # A cluster tells it in whole seconds.
        assert before - timedelta(seconds=2) < description.created_at <= timezone.now()
        assert site.backend.describe([]) == {}

    def test_a_home_that_goes_with_its_run_leaves_nothing(self, site: Site) -> None:
        spec = replace(a_spec(), home=None)
        site.backend.start(spec)
        site.await_ready(spec.key)
        assert site.write_file(spec.key, "notes", "home")
        stop(site, spec)
        assert site.backend.observe_volumes() == {}
        again = replace(spec, key=RunKey(spec.key.session_id, uuid4()))
        site.backend.start(again)
        site.await_ready(again.key)
        assert site.read_file(again.key, "notes") == ""

    def test_a_rescue_has_home_and_volumes(self, site: Site) -> None:
        volume = a_volume()
        spec = start_ready(site, VolumeMount(volume=volume, path="data"))
        assert site.write_file(spec.key, "notes", "home")
        stop(site, spec)
        mounts = (VolumeMount(volume=volume, path="data"),)
        rescue = replace(a_spec(home=spec.home, mounts=mounts), is_rescue=True)
        site.backend.start(rescue)
        site.await_ready(rescue.key)
        assert site.read_file(rescue.key, "notes") == "home"
        assert site.write_file(rescue.key, "data/table", "volume")

    # What operators give.

    def test_what_an_operator_gave_is_used_and_left(self, site: Site) -> None:
        adopted = a_volume(claim=site.claim())
        spec = start_ready(site, VolumeMount(volume=adopted, path="data"))
        assert site.write_file(spec.key, "data/table", "ada")
        assert_in_use(site, adopted)
        stop(site, spec)
        site.backend.delete_volume(adopted)
        again = start_ready(site, VolumeMount(volume=adopted, path="data"))
        assert site.read_file(again.key, "data/table") == "ada"

    def test_what_an_operator_gave_is_not_seen_as_ours(self, site: Site) -> None:
        site.backend.ensure_volume(a_volume(claim=site.claim()))
        assert site.backend.observe_volumes() == {}

    def test_what_is_not_there_cannot_be_given(self, site: Site) -> None:
        with pytest.raises(BackendRefused) as refusal:
            site.backend.ensure_volume(a_volume(claim=site.claim_of_nothing()))
        assert refusal.value.code == "volume_missing"
