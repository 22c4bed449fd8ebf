"""Who uses an environment: asked here, answered by the apps above, which register themselves."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from accounts.models import User
from environments.models import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How many sessions have some version of it, and of how many people.

    `mine` names some of those that are the viewer's own, `owners` some of the people.
    """

    sessions: int
    people: int
    mine: tuple[str, ...]
    owners: tuple[str, ...]


Answer: TypeAlias = Callable[[Environment, User], Usage]
_answers: list[Answer] = []


def register(answer: Answer) -> None:
    """Say who answers. Called once, when the apps are ready."""
    _answers[:] = [answer]


def usage_of(environment: Environment, *, viewer: User) -> Usage:
    return _answers[0](environment, viewer)
