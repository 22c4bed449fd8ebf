"""What a builder is: the interface behind which kernels are built, in our words.

Every call is idempotent and returns at once: none waits for a build, who wants to know looks
again. Two errors leave a builder: `BackendRefused` (it will not work however often it is tried; its
message is for the user) and `BackendUnavailable` (try again later). Of one digest one attempt is
under way at a time; what a killed attempt left is removed before the next, and never used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from environments.builder.outcome import Outcome, read_outcome
from environments.builder.request import Request, Site
from environments.kernels import Kernel
from submarine_site.core.slots import Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSpec:
    """All that a builder needs. `channels` are addresses, or names that rattler knows.

    `lock` is what an earlier build had installed: this one installs the same.
    """

    digest: str
    attempt: int
    image: str
    kernel: Kernel
    channels: tuple[str, ...] = ()
    lock: dict[str, Any] | None = None


class BuildProgress(StrEnum):
    UNDER_WAY = "under_way"
    BUILT = "built"
    FAILED = "failed"
    LOST = "lost"
    """It ended without a word why: it was killed, or its machine was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSeen:
    """What a look at an attempt showed. A failure has a code of the catalogue in its outcome."""

    progress: BuildProgress
    outcome: Outcome | None = None


class Builder(Protocol):
    """Builds kernels into the store that sessions read. See the module's docstring."""

    def begin(self, spec: BuildSpec) -> None:
        """Begin this attempt, or leave it alone if it has begun. What was built under the digest
        is kept, and found built. Unavailable while an earlier attempt is still being ended.
        """

    def observe(self, digest: str, attempt: int) -> BuildSeen | None:
        """What this attempt is now; None if there is nothing of it."""

    def log(self, digest: str, attempt: int, *, lines: int) -> str:
        """The last lines that this attempt has said, without the outcome; empty if nothing."""

    def clear(self, digest: str) -> None:
        """Remove what is left of attempts, ending what is under way, perhaps a moment later. What
        was built stays.
        """

    def discard(self, digest: str, *, image: str) -> None:
        """Do that, and remove from the store what was built with this image. Unavailable while it
        is being removed.
        """


def request(spec: BuildSpec, *, site: Site, folder: str, memory_mib: int = 0) -> Request:
    """What the program in `environments.builder` is asked to do."""
    return Request(
        folder=folder,
        name=spec.kernel.name,
        display_name=spec.kernel.display_name,
        channels=spec.channels,
        conda=spec.kernel.conda,
        pip=spec.kernel.pip,
        lock=spec.lock,
        memory_mib=memory_mib,
        site=site,
    )


def ended(log: str) -> BuildSeen:
    """What an attempt that has ended is, by the log that it left."""
    _, outcome = read_outcome(log)
    if outcome is None:
        return BuildSeen(progress=BuildProgress.LOST)
    progress = BuildProgress.BUILT if outcome.is_built else BuildProgress.FAILED
    return BuildSeen(progress=progress, outcome=outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the apps above give to builds, which know nothing of sessions."""

    builder: Callable[[], Builder]
    in_use: Callable[[], set[str]]
    """The digests that somebody's session has, or may start with again."""
    on_end: Callable[[], None]
    """Called when builds have ended, well or not: who waits for them can go on."""


host = Slot[Host]()
