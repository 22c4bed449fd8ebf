"""Who uses an environment: asked here, answered by the apps above, which register themselves."""

from collections.abc import Callable
from dataclasses import dataclass

from accounts.models import User
from environments.models import Environment
from submarine_site.core.slots import Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How many sessions have some version of it, and of how many people.

    `mine` names some of those that are the viewer's own, `owners` some of the people.
    """

    sessions: int
    people: int
    mine: tuple[str, ...]
    owners: tuple[str, ...]


answer = Slot[Callable[[Environment, User], Usage]]()


def usage_of(environment: Environment, *, viewer: User) -> Usage:
    return answer()(environment, viewer)
