"""What you have, what you may have, and how to ask for more."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from submarine_client.account import Owned
from submarine_client.models import Checked, Quota, QuotaRequest
from submarine_client.requests import Site, ask, create, pages
from submarine_client.steps import Bound, Call, Flow, Items, M, Runner, Steps


class QuotaRequests(Owned[M]):
    """What you asked for."""

    @Flow
    def list(self) -> Items[QuotaRequest]:
        """Newest first."""
        return pages(self._site, "quota/requests/", QuotaRequest.of)

    @Call
    def get(self, request_id: str) -> Steps[QuotaRequest]:
        path = f"quota/requests/{request_id}/"
        return QuotaRequest.of((yield from ask(self._site, "GET", path)))

    @Call
    def ask(
        self, resource: str, amount: str, *, why: str, until: datetime | None = None
    ) -> Steps[QuotaRequest]:
        """Ask to have this much in all, such as `16` or `64 GiB`; until a time, or for good."""
        body: dict[str, Any] = {"resource": resource, "amount": amount, "why": why}
        if until is not None:
            # With its zone: the service's need not be this computer's.
            body["until"] = until.astimezone().isoformat()
        return QuotaRequest.of((yield from create(self._site, "quota/requests/", body)))

    @Call
    def withdraw(self, request_id: str) -> Steps[None]:
        """Take one back that is not decided."""
        yield from ask(self._site, "DELETE", f"quota/requests/{request_id}/")


class Quotas(Bound[M]):
    """What you have, what you may have, and why."""

    def __init__(self, runner: Runner, site: Site) -> None:
        super().__init__(runner)
        self._site = site
        self.requests: QuotaRequests[M] = QuotaRequests(runner, site)

    @Call
    def get(self) -> Steps[Quota]:
        return Quota.of((yield from ask(self._site, "GET", "quota/")))

    @Call
    def check(self, profile: str, *, charge_to: str | None = None) -> Steps[Checked]:
        """Whether a session of a size would be let in now, and what would make room."""
        body = {"profile": profile}
        if charge_to is not None:
            body["charge_to"] = charge_to
        said = yield from ask(self._site, "POST", "quota/check/", body=body, repeatable=True)
        return Checked.of(said)
