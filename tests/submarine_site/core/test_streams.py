"""Streams as a server has them: how many there may be, and how they end."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import OperationalError

from submarine_site.core import streams
from submarine_site.core.streams import Stream, Streams

ADA, GRACE = 1, 2
SECONDS = 10
START = {"type": "http.response.start", "status": 200, "headers": []}


class Client:
    """Asks for one stream, and reads until it is told not to."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.is_slow = False
        self.left = asyncio.Event()
        self.has_begun = asyncio.Event()
        self.was_closed = asyncio.Event()

    def ask(
        self,
        sender: Streams,
        *,
        user_id: int = ADA,
        is_endless: bool = True,
        is_allowed: Callable[[], bool] = lambda: True,
        method: str = "GET",
        path: str = "/live",
        parts: int | None = None,
    ) -> asyncio.Task[None]:
        """Ask for as many parts, or for one and then nothing more for ever."""
        stream = Stream(
            self._parts(parts), user_id=user_id, content_type="text/plain", is_endless=is_endless
        )
        stream.is_allowed = is_allowed
        scope = {"type": "http", "method": method, "path": path, "headers": []}
        return asyncio.create_task(sender.send(stream, START, scope, self._receive, self._send))

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def is_complete(self) -> bool:
        return not self.sent[-1].get("more_body", False)

    async def _parts(self, parts: int | None) -> AsyncGenerator[str, None]:
        try:
            for number in range(1 if parts is None else parts):
                yield str(number)
            if parts is None:
                await asyncio.Event().wait()
        finally:
            self.was_closed.set()

    async def _receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if self.is_slow:
            await asyncio.Event().wait()
        self.sent.append(message)
        if "body" in message:
            self.has_begun.set()


def sender(*, per_user: int = 9, total: int = 9, seconds: float = SECONDS) -> Streams:
    return Streams(per_user=per_user, total=total, seconds=seconds)


async def test_a_stream_is_sent_to_its_end() -> None:
    client, bounded = Client(), sender()
    async with asyncio.timeout(SECONDS):
        await client.ask(bounded, parts=3)
    assert (client.status, client.body, client.is_complete) == (200, b"012", True)
    assert (client.was_closed.is_set(), bounded.open_count) == (True, 0)


@pytest.mark.parametrize(
    ("limits", "user_id", "status", "code"),
    [
        ({"per_user": 2}, ADA, 429, "too_many_streams"),
        ({"total": 2}, GRACE, 503, "streams_exhausted"),
    ],
)
async def test_there_are_no_more_than_there_may_be(
    limits: dict[str, int], user_id: int, status: int, code: str
) -> None:
    bounded = sender(**limits)
    clients = [Client(), Client()]
    tasks = [client.ask(bounded) for client in clients]
    async with asyncio.timeout(SECONDS):
        for client in clients:
            await client.has_begun.wait()
        refused = Client()
        await refused.ask(bounded, user_id=user_id)
        assert refused.status == status
        assert (b"retry-after", b"15") in refused.sent[0]["headers"]
        assert json.loads(refused.body)["code"] == code
        assert bounded.open_count == 2

        # Whoever leaves makes room.
        clients[0].left.set()
        await tasks[0]
        assert not clients[0].is_complete
        assert clients[0].was_closed.is_set()
        again = Client()
        await again.ask(bounded, user_id=user_id, parts=1)
        assert again.status == 200
        clients[1].left.set()
        await tasks[1]
    assert bounded.open_count == 0


async def test_a_refused_download_is_told_in_words() -> None:
    bounded = sender(total=0)
    page, program = Client(), Client()
    await page.ask(bounded, is_endless=False, path="/admin/audit/auditentry/export/")
    await program.ask(bounded, is_endless=False, path="/api/v2/audit/export")
    assert b"<h1>Too many streams</h1>" in page.body
    assert json.loads(program.body) == {
        "code": "streams_exhausted",
        "message": "The service has as many streams open as it can. Try again in a moment.",
    }


async def test_others_have_their_own() -> None:
    bounded = sender(per_user=1)
    ada, grace = Client(), Client()
    task = ada.ask(bounded)
    async with asyncio.timeout(SECONDS):
        await ada.has_begun.wait()
        await grace.ask(bounded, user_id=GRACE, parts=1)
        ada.left.set()
        await task
    assert (ada.status, grace.status) == (200, 200)


async def test_a_head_has_no_body_and_is_not_counted() -> None:
    client = Client()
    await client.ask(sender(total=0), method="HEAD")
    assert (client.status, client.body, client.is_complete) == (200, b"", True)


async def test_what_is_endless_ends_after_its_time() -> None:
    client = Client()
    async with asyncio.timeout(SECONDS):
        await client.ask(sender(seconds=0.05))
    assert (client.body, client.is_complete) == (b"0", True)
    assert client.was_closed.is_set()


async def test_a_download_that_takes_too_long_is_not_taken_for_whole() -> None:
    client = Client()
    async with asyncio.timeout(SECONDS):
        await client.ask(sender(seconds=0.05), is_endless=False)
    assert (client.body, client.is_complete) == (b"0", False)


@pytest.mark.parametrize("is_endless", [True, False])
async def test_who_does_not_read_is_left_after_the_time(
    monkeypatch: pytest.MonkeyPatch, *, is_endless: bool
) -> None:
    monkeypatch.setattr(streams, "_LAST_PART_SECONDS", 0.01)
    client, bounded = Client(), sender(seconds=0.05)
    client.is_slow = True
    async with asyncio.timeout(SECONDS):
        await client.ask(bounded, is_endless=is_endless)
    assert (client.sent, bounded.open_count) == ([], 0)


async def test_a_stream_ends_when_its_user_may_no_longer_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "CHECK_SECONDS", 0.01)
    answers = [True, True, False]

    def is_allowed() -> bool:
        if len(answers) == 2:
            answers.pop()
            raise OperationalError
        return answers.pop(0)

    client = Client()
    async with asyncio.timeout(SECONDS):
        await client.ask(sender(), is_allowed=is_allowed)
    assert client.is_complete


async def test_a_fault_breaks_off() -> None:
    async def parts() -> AsyncGenerator[str, None]:
        yield "0"
        raise OperationalError

    client, bounded = Client(), sender()
    stream = Stream(parts(), user_id=ADA, content_type="text/plain")
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with suppress(OperationalError):
        await bounded.send(stream, START, scope, client._receive, client._send)
    assert (client.body, client.is_complete, bounded.open_count) == (b"0", False, 0)
