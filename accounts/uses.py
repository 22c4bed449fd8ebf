"""Which of their sessions pick what a user entrusted: whoever has the sessions answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from accounts.models import User
from submarine_site.core.slots import Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """The names of sessions, by a secret's name and by a git credential's id."""

    of_secrets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    of_git_credentials: Mapping[UUID, Sequence[str]] = field(default_factory=dict)


answer = Slot[Callable[[User], Uses]]()


def uses_by(owner: User) -> Uses:
    """Which of the owner's sessions pick what."""
    return answer()(owner)
