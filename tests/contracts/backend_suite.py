"""What every backend does, as tests. A backend's own tests subclass `BackendContract` and give it a
`site`: the backend, and the means to make happen what it cannot be asked for.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from notebooks.backends.contract import (
    Backend,
    BackendRefused,
    Observed,
    Phase,
    RunKey,
    RunState,
    SessionSpec,
)
from submarine_site.core.resources import Resources


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


def a_spec(
    *, session_id: UUID | None = None, run_id: UUID | None = None, home: UUID | None = None
) -> SessionSpec:
    key = RunKey(session_id or uuid4(), run_id or uuid4())
    return SessionSpec(
        key=key,
        display_name="Ada's notes",
        owner="ada",
        image="submarine/notebook:1",
        resources=Resources(cpu_milli=1000, memory_mib=512),
        base_url=f"/session/{key.session_id}/",
        token=uuid4().hex,
        home=home or uuid4(),
    )


class BackendContract:
    """Subclasses have a fixture `site`."""

    @pytest.fixture
    def start(self, site: Site) -> Callable[[], SessionSpec]:
        def start() -> SessionSpec:
            spec = a_spec()
            site.backend.ensure_volume(spec.home)
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
        before = site.backend.observe(ready.key)
        site.backend.start(ready)
        assert site.backend.observe(ready.key) == before

    def test_many_starts_at_once_give_one_run(self, site: Site) -> None:
        spec = a_spec()
        site.backend.ensure_volume(spec.home)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(site.backend.start, [spec] * 8))
        site.await_ready(spec.key)
        assert list(site.backend.observe_all()) == [spec.key]

    def test_a_start_without_its_home_is_refused(self, site: Site) -> None:
        spec = a_spec()
        with pytest.raises(BackendRefused) as refusal:
            site.backend.start(spec)
        assert refusal.value.code == "start_refused"
        assert site.backend.observe(spec.key) is None

    def test_a_start_that_was_refused_can_be_tried_again(self, site: Site) -> None:
        spec = a_spec()
        with pytest.raises(BackendRefused):
            site.backend.start(spec)
        site.backend.ensure_volume(spec.home)
        site.backend.start(spec)
        assert site.await_ready(spec.key).state is RunState.READY

    def test_all_runs_are_seen_in_one_look(
        self, site: Site, start: Callable[[], SessionSpec]
    ) -> None:
        ada, grace = start(), start()
        site.await_ready(grace.key)
        site.await_ready(ada.key)
        assert site.backend.observe_all() == {
            key: site.backend.observe(key) for key in (ada.key, grace.key)
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
        before = site.await_ready(grace.key)
        site.backend.stop(ada.key)
        site.await_gone(ada.key)
        assert site.backend.observe(grace.key) == before

    def test_a_stopped_run_is_not_begun_again(self, site: Site, ready: SessionSpec) -> None:
        site.backend.stop(ready.key)
        site.backend.start(ready)
        site.await_gone(ready.key)
        site.backend.start(ready)
        assert site.backend.observe(ready.key) is None

    def test_a_run_stopped_before_it_was_started_is_never_begun(self, site: Site) -> None:
        spec = a_spec()
        site.backend.ensure_volume(spec.home)
        site.backend.stop(spec.key)
        site.backend.start(spec)
        assert site.backend.observe(spec.key) is None

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
        assert site.backend.observe_all() == {ready.key: seen}

    def test_the_phases_of_a_run_that_ended_are_over(self, site: Site, ready: SessionSpec) -> None:
        site.crash(ready.key)
        seen = site.backend.observe(ready.key)
        assert seen is not None
        assert seen.phases[-1].phase is Phase.READY
        assert seen.phases[-1].finished_at is not None

    def test_a_run_that_ended_is_not_begun_again(self, site: Site, ready: SessionSpec) -> None:
        site.crash(ready.key)
        before = site.backend.observe(ready.key)
        site.backend.start(ready)
        assert site.backend.observe(ready.key) == before

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
        site.backend.stop(ready.key)
        site.await_gone(ready.key)
        assert "farewell\n" in site.backend.logs(ready.key, lines=50)

    # Changes.

    def test_a_change_is_hinted_at(self, site: Site, start: Callable[[], SessionSpec]) -> None:
        with ThreadPoolExecutor(1) as pool:
            told = pool.submit(next, site.backend.changes())
            # Hints may be lost, above all before the watcher is up: it takes a run or two.
            started = set()
            while not told.done():
                started.add(start().key)
                wait([told], timeout=1)
        assert told.result() in started

    # Volumes.

    def test_a_volume_can_be_asked_for_again(self, site: Site, ready: SessionSpec) -> None:
        site.backend.ensure_volume(ready.home)
        seen = site.backend.observe(ready.key)
        assert seen is not None
        assert seen.state is RunState.READY

    def test_deleting_a_volume_that_is_not_there_succeeds(self, site: Site) -> None:
        site.backend.delete_volume(uuid4())

    def test_a_volume_in_use_is_not_deleted(self, site: Site, ready: SessionSpec) -> None:
        with pytest.raises(BackendRefused) as refusal:
            site.backend.delete_volume(ready.home)
        assert refusal.value.code == "volume_in_use"

    def test_another_volume_is_deleted_while_a_run_goes_on(
        self, site: Site, ready: SessionSpec
    ) -> None:
        volume = uuid4()
        site.backend.ensure_volume(volume)
        site.backend.delete_volume(volume)
        with pytest.raises(BackendRefused):
            site.backend.start(a_spec(home=volume))

    def test_a_volume_is_deleted_once_its_run_is_gone(self, site: Site, ready: SessionSpec) -> None:
        site.backend.stop(ready.key)
        site.await_gone(ready.key)
        site.backend.delete_volume(ready.home)
        site.backend.delete_volume(ready.home)
        with pytest.raises(BackendRefused):
            site.backend.start(a_spec(home=ready.home))
