"""The fake backend keeps the contract, and its subclasses break it in the way they say."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from notebooks.backends.contract import Backend, Observed, RunKey, RunState
from notebooks.backends.fake import (
    FakeBackend,
    NeverReadyBackend,
    RefusingBackend,
    UnreachableBackend,
    VanishingBackend,
)
from submarine_site.core.outside import BackendRefused, BackendUnavailable
from tests.contracts.backend_suite import BackendContract, Site, a_spec, a_volume, home_of
from volumes.contract import VolumeSeen, VolumeSpec


class FakeSite(Site):
    def __init__(self) -> None:
        self.backend: FakeBackend = FakeBackend()

    def await_ready(self, key: RunKey) -> Observed:
        self.backend.make_ready(key)
        observed = self.backend.observe(key)
        assert observed is not None
        return observed

    def await_gone(self, key: RunKey) -> None:
        self.backend.settle()
        assert self.backend.observe(key) is None

    def crash(self, key: RunKey) -> int:
        self.backend.exit(key, 1)
        return 1

    def write_log(self, key: RunKey, line: str) -> None:
        self.backend.write_log(key, f"{line}\n")

    def write_file(self, key: RunKey, path: str, text: str) -> bool:
        return self.backend.write_file(key, path, text)

    def read_file(self, key: RunKey, path: str) -> str:
        return self.backend.read_file(key, path)

    def claim(self) -> str:
        self.backend.claims.add("archive")
        return "archive"

    def claim_of_nothing(self) -> str:
        return "nothing"


class TestFakeBackend(BackendContract):
    @pytest.fixture
    def site(self) -> Site:
        return FakeSite()


def test_a_started_run_stays_starting_until_it_is_made_ready() -> None:
    backend, spec = FakeBackend(), a_spec()
    backend.ensure_volume(home_of(spec))
    backend.start(spec)
    backend.make_ready(spec.key, address="http://127.0.0.1:8888")
    seen = backend.observe(spec.key)
    assert seen is not None
    assert seen.address == "http://127.0.0.1:8888"
    assert backend.started == [spec]


def test_a_stopped_run_stays_stopping_until_it_vanishes() -> None:
    backend, spec = FakeBackend(), a_spec()
    backend.ensure_volume(home_of(spec))
    backend.start(spec)
    backend.stop(spec.key)
    seen = backend.observe(spec.key)
    assert seen is not None
    assert seen.state is RunState.STOPPING
    backend.vanish(spec.key)
    assert backend.observe(spec.key) is None


def test_a_full_home_ends_a_start_unless_it_is_a_rescue() -> None:
    backend, spec = FakeBackend(), a_spec(home=a_volume(size_mib=16))
    backend.ensure_volume(home_of(spec))
    backend.fill(home_of(spec).id, used_mib=16)
    backend.start(spec)
    backend.settle()
    seen = backend.observe(spec.key)
    assert seen is not None
    assert (seen.state, seen.exit_code) == (RunState.EXITED, 1)
    assert (seen.failure_code, seen.failure_detail) == (
        "home_full",
        "The home is full: 16 of 16 MiB.",
    )
    backend.stop(spec.key)
    rescue = replace(a_spec(home=spec.home), is_rescue=True)
    backend.start(rescue)
    backend.settle()
    seen = backend.observe(rescue.key)
    assert seen is not None
    assert seen.state is RunState.READY


def test_what_a_volume_holds_and_can_hold_is_seen() -> None:
    backend, volume = FakeBackend(), a_volume(size_mib=16)
    backend.ensure_volume(volume)
    backend.fill(volume.id, used_mib=3)
    backend.grow_volume(replace(volume, size_mib=32))
    assert backend.observe_volumes() == {volume.id: VolumeSeen(capacity_mib=32, used_mib=3)}


def test_a_volume_can_be_kept_from_growing() -> None:
    backend, volume = FakeBackend(), a_volume(size_mib=16)
    backend.ensure_volume(volume)
    backend.refuses_to_grow = "Its class does not let volumes grow."
    with pytest.raises(BackendRefused) as refusal:
        backend.grow_volume(replace(volume, size_mib=32))
    assert (refusal.value.code, refusal.value.message) == (
        "volume_not_growable",
        "Its class does not let volumes grow.",
    )
    assert backend.observe_volumes()[volume.id].capacity_mib == 16


def test_a_refusing_backend_starts_nothing() -> None:
    backend, spec = RefusingBackend(), a_spec()
    backend.ensure_volume(home_of(spec))
    with pytest.raises(BackendRefused) as refusal:
        backend.start(spec)
    assert refusal.value.code == "start_refused"
    assert backend.observe_all() == {}


CALLS: dict[str, Callable[[Backend], object]] = {
    "start": lambda backend: backend.start(a_spec()),
    "stop": lambda backend: backend.stop(a_spec().key),
    "observe": lambda backend: backend.observe(a_spec().key),
    "observe_all": lambda backend: backend.observe_all(),
    "changes": lambda backend: backend.changes(),
    "logs": lambda backend: backend.logs(a_spec().key, lines=1),
    "ensure_volume": lambda backend: backend.ensure_volume(VolumeSpec(id=uuid4())),
    "grow_volume": lambda backend: backend.grow_volume(VolumeSpec(id=uuid4())),
    "observe_volumes": lambda backend: backend.observe_volumes(),
    "delete_volume": lambda backend: backend.delete_volume(VolumeSpec(id=uuid4())),
}


@pytest.mark.parametrize("call", CALLS)
def test_an_unreachable_backend_answers_nothing(call: str) -> None:
    with pytest.raises(BackendUnavailable):
        CALLS[call](UnreachableBackend())


def test_an_unreachable_backend_has_lost_nothing_when_it_is_back() -> None:
    backend, spec = UnreachableBackend(), a_spec()
    backend.reachable = True
    backend.ensure_volume(home_of(spec))
    backend.start(spec)
    backend.reachable = False
    with pytest.raises(BackendUnavailable):
        backend.observe(spec.key)
    backend.reachable = True
    assert list(backend.observe_all()) == [spec.key]


def test_a_never_ready_backend_starts_for_ever() -> None:
    backend, spec = NeverReadyBackend(), a_spec()
    backend.ensure_volume(home_of(spec))
    backend.start(spec)
    backend.settle()
    seen = backend.observe(spec.key)
    assert seen is not None
    assert seen.state is RunState.STARTING


def test_a_vanishing_backend_leaves_no_trace_of_a_run() -> None:
    backend, spec = VanishingBackend(), a_spec()
    backend.ensure_volume(home_of(spec))
    backend.start(spec)
    assert backend.observe_all() == {}
