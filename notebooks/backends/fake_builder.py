"""A builder in memory, for tests: it obeys the contract, and nothing ends unless it is told to."""

from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from environments.builder.outcome import BuildFailed, Outcome
from environments.building import BuildProgress, BuildSeen, BuildSpec
from submarine_site.core.outside import BackendRefused, BackendUnavailable

_UNDER_WAY = BuildSeen(progress=BuildProgress.UNDER_WAY)


@dataclass(kw_only=True)
class _Attempt:
    seen: BuildSeen = _UNDER_WAY
    said: list[str] = field(default_factory=list)


class FakeBuilder:
    """Thread-safe. `begun` has the spec of every attempt that was ever begun, in order."""

    def __init__(self) -> None:
        self.begun: list[BuildSpec] = []
        self.store: dict[str, Outcome] = {}
        self.is_reachable = True
        self.refusal: BackendRefused | None = None
        self._lock = RLock()
        self._attempts: dict[tuple[str, int], _Attempt] = {}

    def begin(self, spec: BuildSpec) -> None:
        with self._reached():
            if self.refusal:
                raise self.refusal
            key = spec.digest, spec.attempt
            if key in self._attempts:
                return
            self._attempts[key] = _Attempt()
            self.begun.append(spec)
            if built := self.store.get(spec.digest):
                self._end(spec.digest, BuildProgress.BUILT, built)

    def observe(self, digest: str, attempt: int) -> BuildSeen | None:
        with self._reached():
            found = self._attempts.get((digest, attempt))
            return found.seen if found else None

    def log(self, digest: str, attempt: int, *, lines: int) -> str:
        with self._reached():
            found = self._attempts.get((digest, attempt))
            return "".join(found.said[-lines:]) if found else ""

    def clear(self, digest: str) -> None:
        with self._reached():
            for key in [key for key in self._attempts if key[0] == digest]:
                del self._attempts[key]

    def discard(self, digest: str, *, image: str) -> None:  # noqa: ARG002
        with self._reached():
            self.clear(digest)
            self.store.pop(digest, None)

    # What a test makes happen.

    def finish(
        self, digest: str, *, size_bytes: int = 4096, lock: dict[str, Any] | None = None
    ) -> None:
        """Let the build come to its end."""
        with self._lock:
            lock = lock or {"conda": [], "pip": []}
            built = Outcome(outcome="built", size_bytes=size_bytes, lock=lock)
            self.store[digest] = built
            self._end(digest, BuildProgress.BUILT, built)

    def fail(self, digest: str, code: str, message: str, requirement: str = "") -> None:
        with self._lock:
            failed = Outcome.of_failure(BuildFailed(code, message, requirement))
            self._end(digest, BuildProgress.FAILED, failed)

    def lose(self, digest: str) -> None:
        """Let it end without a word."""
        with self._lock:
            self._end(digest, BuildProgress.LOST, None)

    def say(self, digest: str, line: str) -> None:
        """Let it write to its log."""
        with self._lock:
            self._newest(digest).said.append(f"{line}\n")

    def _end(self, digest: str, progress: BuildProgress, outcome: Outcome | None) -> None:
        self._newest(digest).seen = BuildSeen(progress=progress, outcome=outcome)

    def _newest(self, digest: str) -> _Attempt:
        attempts = [key for key in self._attempts if key[0] == digest]
        return self._attempts[max(attempts)]

    def _reached(self) -> RLock:
        if not self.is_reachable:
            raise BackendUnavailable("The builder did not answer in time.")
        return self._lock
