"""Which of their sessions pick what a user entrusted: whoever has the sessions answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from accounts.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """The names of sessions, by a secret's name and by a git credential's id."""

    of_secrets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    of_git_credentials: Mapping[UUID, Sequence[str]] = field(default_factory=dict)


class Answer(Protocol):
    def __call__(self, owner: User) -> Uses: ...


_answers: list[Answer] = []


def register(answer: Answer) -> None:
    """Have this asked from now on. Once for each process, when the app is ready."""
    _answers[:] = [answer]


def uses_by(owner: User) -> Uses:
    """Which of the owner's sessions pick what."""
    return _answers[0](owner) if _answers else Uses()
