"""A backend in memory, for tests: it obeys the contract, and nothing moves unless the test says so.

A started run stays STARTING until `make_ready` and a stopped one STOPPING until `vanish`, or until
`settle` takes both as far as they go. The subclasses each fail in one way that real ones do.
"""

import time
from collections.abc import Collection, Iterator, KeysView, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from threading import RLock
from uuid import UUID

from notebooks.backends.contract import (
    Capacity,
    Ceiling,
    CodeOutcome,
    CodeStatus,
    Observed,
    Phase,
    PhaseTime,
    RunDescription,
    RunKey,
    RunState,
    SessionSpec,
)
from submarine_site.core.outside import BackendRefused, BackendUnavailable
from volumes.contract import VolumeSeen, VolumeSpec


def _now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


@dataclass(kw_only=True)
class _Volume:
    """`files` are by their paths in it."""

    size_mib: int | None = None
    used_mib: int | None = None
    files: dict[str, str] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        return self.used_mib is not None and self.used_mib == self.size_mib


@dataclass(kw_only=True)
class _Run:
    """`volumes` are by their paths below the home, which is at the empty one."""

    spec: SessionSpec
    observed: Observed
    volumes: Mapping[str, _Volume]
    created_at: datetime


class FakeBackend:
    """Thread-safe. `started` has the spec of every run that was ever begun, in order; `claims` are
    what an operator can give to be a volume. Set `refuses_to_grow` to why no volume grows, and
    `has` to what there is in all.
    """

    def __init__(self) -> None:
        self.started: list[SessionSpec] = []
        self.claims: set[str] = set()
        self.refuses_to_grow = ""
        self.ceiling = Ceiling()
        self.has: Capacity | None = Capacity(cpu_milli=64_000, memory_mib=256 * 1024)
        self._volumes: dict[UUID, _Volume] = {}
        self._adopted: dict[str, _Volume] = {}
        self._lock = RLock()
        self._runs: dict[RunKey, _Run] = {}
        self._logs: dict[RunKey, list[str]] = {}
        self._watchers: list[SimpleQueue[Mapping[RunKey, Observed | None]]] = []

    def start(self, spec: SessionSpec) -> None:
        with self._lock:
            if spec.key in self._runs:
                return
            volumes = {
                **{mount.path: self._existing(mount.volume) for mount in spec.mounts},
                "": self._existing(spec.home) if spec.home else _Volume(),
            }
            now = _now()
            phases = (
                PhaseTime(phase=Phase.PREPARING, started_at=now, finished_at=now),
                PhaseTime(phase=Phase.STARTING_SERVER, started_at=now),
            )
            observed = Observed(key=spec.key, state=RunState.STARTING, phases=phases)
            self._runs[spec.key] = _Run(
                spec=spec, observed=observed, volumes=volumes, created_at=now
            )
            self.started.append(spec)
            self._tell(spec.key)

    def stop(self, key: RunKey) -> None:
        with self._lock:
            if key not in self._runs:
                return
            if self._runs[key].observed.state is RunState.EXITED:
                self.vanish(key)
            else:
                self._change(key, state=RunState.STOPPING, address="")

    def observe(self, key: RunKey) -> Observed | None:
        with self._lock:
            run = self._runs.get(key)
            return run.observed if run else None

    def observe_all(self) -> Mapping[RunKey, Observed]:
        with self._lock:
            return {key: run.observed for key, run in self._runs.items()}

    def describe(self, keys: Collection[RunKey]) -> Mapping[RunKey, RunDescription]:
        with self._lock:
            return {
                key: RunDescription(
                    created_at=run.created_at,
                    owner=run.spec.owner,
                    display_name=run.spec.display_name,
                    record=run.spec.record,
                )
                for key, run in self._runs.items()
                if key in keys
            }

    def changes(self) -> Iterator[Mapping[RunKey, Observed | None]]:
        watcher: SimpleQueue[Mapping[RunKey, Observed | None]] = SimpleQueue()
        with self._lock:
            self._watchers.append(watcher)
        return iter(watcher.get, None)

    def logs(self, key: RunKey, *, lines: int) -> str:
        with self._lock:
            return "".join(self._logs.get(key, [])[-lines:])

    def forget(self, session_id: UUID) -> None:
        with self._lock:
            for key in [key for key in self._logs if key.session_id == session_id]:
                del self._logs[key]

    def capacity(self) -> Capacity | None:
        return self.has

    def keep_below(self, ceiling: Ceiling) -> None:
        self.ceiling = ceiling

    def tidy(self) -> None:
        """Nothing is left over."""

    def ensure_volume(self, spec: VolumeSpec) -> None:
        with self._lock:
            if spec.claim:
                self._existing(spec)
            else:
                self._volumes.setdefault(spec.id, _Volume(size_mib=spec.size_mib))

    def grow_volume(self, spec: VolumeSpec) -> None:
        with self._lock:
            volume = self._existing(spec)
            if spec.claim or volume.size_mib is None or spec.size_mib is None:
                return
            if volume.size_mib < spec.size_mib:
                if self.refuses_to_grow:
                    raise BackendRefused(self.refuses_to_grow, code="volume_not_growable")
                volume.size_mib = spec.size_mib

    def delete_volume(self, spec: VolumeSpec) -> None:
        with self._lock:
            if any(spec.id in _attached(run.spec) for run in self._runs.values()):
                raise BackendRefused("A session uses it.", code="volume_in_use")
            self._volumes.pop(spec.id, None)

    def observe_volumes(self) -> Mapping[UUID, VolumeSeen]:
        with self._lock:
            return {
                volume_id: VolumeSeen(capacity_mib=volume.size_mib, used_mib=volume.used_mib)
                for volume_id, volume in self._volumes.items()
            }

    @property
    def volumes(self) -> KeysView[UUID]:
        """Those that are there, without what an operator gave."""
        return self._volumes.keys()

    def _existing(self, spec: VolumeSpec) -> _Volume:
        if spec.claim in self.claims:
            return self._adopted.setdefault(spec.claim, _Volume())
        if spec.claim or spec.id not in self._volumes:
            raise BackendRefused("The volume does not exist.", code="volume_missing")
        return self._volumes[spec.id]

    # What a test makes happen.

    def make_ready(
        self, key: RunKey, *, address: str = "", code: tuple[CodeOutcome, ...] | None = None
    ) -> None:
        """Let the server of a STARTING run answer, at `address` if one is given, after its code
        came to be what `code` says: else it is there. In a full home it ends instead.
        """
        with self._lock:
            run = self._runs[key]
            observed = run.observed
            home = run.volumes[""]
            if home.is_full and not run.spec.is_rescue:
                run.observed = replace(
                    observed,
                    failure_code="home_full",
                    failure_detail=f"The home is full: {home.used_mib} of {home.size_mib} MiB.",
                )
                self.exit(key, 1)
                return
            if run.spec.code and code is None:
                code = tuple(CodeOutcome(status=CodeStatus.FETCHED) for _ in run.spec.code)
            run.observed = observed = replace(observed, code=code)
            if observed.state is not RunState.STARTING:
                raise ValueError(f"{key} is {observed.state}")
            now = _now()
            self._change(
                key,
                state=RunState.READY,
                address=address or f"unix:/nowhere/{key.run_id.hex[:12]}.sock",
                phases=(
                    *observed.phases[:-1],
                    replace(observed.phases[-1], finished_at=now),
                    PhaseTime(phase=Phase.READY, started_at=now),
                ),
            )

    def exit(self, key: RunKey, code: int) -> None:
        """Let the server end by itself."""
        with self._lock:
            now = _now()
            phases = self._runs[key].observed.phases
            self._change(
                key,
                state=RunState.EXITED,
                address="",
                exit_code=code,
                phases=(*phases[:-1], replace(phases[-1], finished_at=now)),
            )

    def vanish(self, key: RunKey) -> None:
        """Leave nothing of the run: it was stopped to the end, or lost without a trace."""
        with self._lock:
            del self._runs[key]
            self._tell(key)

    def settle(self) -> None:
        """Take every run as far as it goes: what starts is ready, what stops is gone."""
        with self._lock:
            for key, observed in self.observe_all().items():
                if observed.state is RunState.STARTING:
                    self.make_ready(key)
                elif observed.state is RunState.STOPPING:
                    self.vanish(key)

    def make_older(self, key: RunKey, by: timedelta) -> None:
        """Have a run be begun so much earlier."""
        with self._lock:
            self._runs[key].created_at -= by

    def fill(self, volume_id: UUID, *, used_mib: int) -> None:
        """Let a volume hold this much. A home that holds as much as it can is full."""
        with self._lock:
            self._volumes[volume_id].used_mib = used_mib

    def write_file(self, key: RunKey, path: str, text: str) -> bool:
        """Let the server of a run write a file below its home; whether it could."""
        with self._lock:
            run = self._runs[key]
            at, inner = _place(run, path)
            if any(mount.read_only for mount in run.spec.mounts if mount.path == at):
                return False
            run.volumes[at].files[inner] = text
            return True

    def read_file(self, key: RunKey, path: str) -> str:
        """What the server of a run reads in a file below its home; empty if there is none."""
        with self._lock:
            run = self._runs[key]
            at, inner = _place(run, path)
            return run.volumes[at].files.get(inner, "")

    def write_log(self, key: RunKey, text: str) -> None:
        """Let the server write to its log."""
        with self._lock:
            self._logs.setdefault(key, []).extend(text.splitlines(keepends=True))

    def _change(
        self,
        key: RunKey,
        *,
        state: RunState,
        address: str,
        phases: tuple[PhaseTime, ...] | None = None,
        exit_code: int | None = None,
    ) -> None:
        run = self._runs[key]
        run.observed = replace(
            run.observed,
            state=state,
            address=address,
            phases=run.observed.phases if phases is None else phases,
            exit_code=exit_code,
        )
        self._tell(key)

    def _tell(self, key: RunKey) -> None:
        for watcher in self._watchers:
            watcher.put({key: self.observe(key)})


def _attached(spec: SessionSpec) -> set[UUID]:
    return {
        *({spec.home.id} if spec.home else ()),
        *(mount.volume.id for mount in spec.mounts),
    }


def _place(run: _Run, path: str) -> tuple[str, str]:
    """In which of a run's volumes a path below its home is, and where in that one."""
    for at in run.volumes:
        if at and path.startswith(f"{at}/"):
            return at, path.removeprefix(f"{at}/")
    return "", path


class RefusingBackend(FakeBackend):
    """It starts nothing, for a reason that will not pass."""

    def start(self, spec: SessionSpec) -> None:  # noqa: ARG002
        raise BackendRefused("The backend refused the run.", code="start_refused")


class UnreachableBackend(FakeBackend):
    """No call gets an answer. Set `reachable` when the outage is over."""

    reachable = False

    def start(self, spec: SessionSpec) -> None:
        self._connect()
        super().start(spec)

    def stop(self, key: RunKey) -> None:
        self._connect()
        super().stop(key)

    def observe(self, key: RunKey) -> Observed | None:
        self._connect()
        return super().observe(key)

    def observe_all(self) -> Mapping[RunKey, Observed]:
        self._connect()
        return super().observe_all()

    def describe(self, keys: Collection[RunKey]) -> Mapping[RunKey, RunDescription]:
        self._connect()
        return super().describe(keys)

    def changes(self) -> Iterator[Mapping[RunKey, Observed | None]]:
        self._connect()
        return super().changes()

    def logs(self, key: RunKey, *, lines: int) -> str:
        self._connect()
        return super().logs(key, lines=lines)

    def ensure_volume(self, spec: VolumeSpec) -> None:
        self._connect()
        super().ensure_volume(spec)

    def grow_volume(self, spec: VolumeSpec) -> None:
        self._connect()
        super().grow_volume(spec)

    def delete_volume(self, spec: VolumeSpec) -> None:
        self._connect()
        super().delete_volume(spec)

    def observe_volumes(self) -> Mapping[UUID, VolumeSeen]:
        self._connect()
        return super().observe_volumes()

    def _connect(self) -> None:
        if not self.reachable:
            raise BackendUnavailable("The backend did not answer in time.")


class NeverReadyBackend(FakeBackend):
    """Its servers start and never answer."""

    def make_ready(
        self, key: RunKey, *, address: str = "", code: tuple[CodeOutcome, ...] | None = None
    ) -> None:
        """Do nothing."""


class VanishingBackend(FakeBackend):
    """It accepts every run, and then there is no trace of it."""

    def start(self, spec: SessionSpec) -> None:
        with self._lock:
            super().start(spec)
            self.vanish(spec.key)
