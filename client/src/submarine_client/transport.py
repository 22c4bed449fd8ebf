"""What goes over the wire, by a pool of connections of either kind: no rule of the service's."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from submarine_client.errors import Unreachable
from submarine_client.steps import Item, Items, Steps, T

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import httpx
    from websockets.asyncio.client import ClientConnection as AsyncSocket
    from websockets.sync.client import ClientConnection as SyncSocket

MAX_CONNECTIONS = 20
MAX_MESSAGE = 64 * 2**20
_BLOCK = 2**18
_SHORTEST = 3.0
"""What an answer gets in any case: to hang up at once would cost a connection each time."""
_UNENCRYPTED = "What answers there does not encrypt: its address begins with http://."
_WHERE = "Check the address and your network; `subnb login ADDRESS` takes another address."


@dataclass(frozen=True)
class Reply:
    """An answer, whatever it says."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Request:
    """Sends a request and gives a `Reply`. Raises `Unreachable` if none came, at the latest when
    the clock that only goes on is at `ends`.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Any = None
    content: bytes | None = None
    ends: float | None = None

    def built(self, client: Any, timeout: float) -> Any:
        left = timeout if self.ends is None else self.ends - time.monotonic()
        return client.build_request(
            self.method,
            self.url,
            headers=dict(self.headers),
            params=self.params,
            content=self.content,
            timeout=_patience(max(min(timeout, left), _SHORTEST)),
        )

    def sync(self, transport: SyncTransport) -> Reply:
        with _unreachable(self.url):
            answer = transport.http.send(self.built(transport.http, transport.timeout))
        return Reply(answer.status_code, answer.headers, answer.content)

    async def asynchronous(self, transport: AsyncTransport) -> Reply:
        with _unreachable(self.url):
            answer = await transport.http.send(self.built(transport.http, transport.timeout))
        return Reply(answer.status_code, answer.headers, answer.content)


@dataclass(frozen=True)
class Download:
    """Like `Request`, and writes the body of an answer that went well to `into`: to its end if the
    answer is a part, else from its start. `seen` are the answer's headers, as soon as they come.
    """

    request: Request
    into: BinaryIO
    seen: dict[str, str] = field(default_factory=dict)

    def sync(self, transport: SyncTransport) -> Reply:
        request = self.request.built(transport.http, transport.timeout)
        with _unreachable(self.request.url):
            answer = transport.http.send(request, stream=True)
            try:
                if not self._begin(answer):
                    return Reply(answer.status_code, answer.headers, answer.read())
                for block in answer.iter_bytes(_BLOCK):
                    self.into.write(block)
            finally:
                answer.close()
        return Reply(answer.status_code, answer.headers, b"")

    async def asynchronous(self, transport: AsyncTransport) -> Reply:
        request = self.request.built(transport.http, transport.timeout)
        with _unreachable(self.request.url):
            answer = await transport.http.send(request, stream=True)
            try:
                if not self._begin(answer):
                    return Reply(answer.status_code, answer.headers, await answer.aread())
                async for block in answer.aiter_bytes(_BLOCK):
                    self.into.write(block)
            finally:
                await answer.aclose()
        return Reply(answer.status_code, answer.headers, b"")

    def _begin(self, answer: httpx.Response) -> bool:
        self.seen.update(answer.headers)
        if answer.status_code == 200:
            self.into.seek(0)
            self.into.truncate()
        return answer.status_code in (200, 206)


@dataclass(frozen=True)
class Pause:
    """Waits."""

    seconds: float

    def sync(self, _: SyncTransport) -> None:
        threading.Event().wait(self.seconds)

    async def asynchronous(self, _: AsyncTransport) -> None:
        import asyncio

        await asyncio.sleep(self.seconds)


@dataclass(frozen=True)
class Connect:
    """Opens a WebSocket. Raises `Unreachable`, or `SocketRefused` with the status."""

    url: str
    headers: Mapping[str, str]

    def sync(self, transport: SyncTransport) -> SyncSocket:
        from websockets.sync.client import connect

        with _unreachable(self.url, socket=True):
            made = connect(
                self.url,
                additional_headers=dict(self.headers),
                max_size=MAX_MESSAGE,
                open_timeout=transport.timeout,
                user_agent_header=transport.user_agent,
            )
            # From 17.1 on, websockets has what it gives entered; before, that does nothing.
            return made.__enter__()

    async def asynchronous(self, transport: AsyncTransport) -> AsyncSocket:
        from websockets.asyncio.client import connect

        with _unreachable(self.url, socket=True):
            return await connect(
                self.url,
                additional_headers=dict(self.headers),
                max_size=MAX_MESSAGE,
                open_timeout=transport.timeout,
                user_agent_header=transport.user_agent,
            )


@dataclass(frozen=True)
class Send:
    """Sends a message through a WebSocket."""

    socket: Any
    text: str

    def sync(self, _: SyncTransport) -> None:
        with _unreachable(socket=True):
            self.socket.send(self.text)

    async def asynchronous(self, _: AsyncTransport) -> None:
        with _unreachable(socket=True):
            await self.socket.send(self.text)


@dataclass(frozen=True)
class Receive:
    """The next message of a WebSocket; None if none came within `seconds`."""

    socket: Any
    seconds: float | None

    def sync(self, _: SyncTransport) -> Any:
        with _unreachable(socket=True), suppress(TimeoutError):
            return self.socket.recv(timeout=self.seconds)
        return None

    async def asynchronous(self, _: AsyncTransport) -> Any:
        import asyncio

        # Before Python 3.11 that of asyncio was another.
        with _unreachable(socket=True), suppress(TimeoutError, asyncio.TimeoutError):
            return await asyncio.wait_for(self.socket.recv(), self.seconds)
        return None


@dataclass(frozen=True)
class Close:
    """Closes a WebSocket."""

    socket: Any

    def sync(self, _: SyncTransport) -> None:
        self.socket.close()

    async def asynchronous(self, _: AsyncTransport) -> None:
        await self.socket.close()


class SocketRefused(Unreachable):
    """A WebSocket was answered with a status of HTTP."""

    def __init__(self, status: int) -> None:
        super().__init__(f"The session's address answers with status {status}.")
        self.status = status


class _unreachable:  # noqa: N801 - used as a statement
    """Says as `Unreachable` what the libraries say in words of their own."""

    def __init__(self, url: str = "", *, socket: bool = False) -> None:
        self._url = url
        self._socket = socket

    def __enter__(self) -> None:
        return

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, Exception) and (failure := self._failure(error)) is not None:
            raise failure from error

    def _failure(self, error: Exception) -> Unreachable | None:
        module = type(error).__module__.partition(".")[0]
        place = urlsplit(self._url).netloc
        at = f" at {place}" if place else ""
        if module == "websockets":
            status = getattr(getattr(error, "response", None), "status_code", None)
            return SocketRefused(status) if status else Cut("The connection was cut.")
        if module == "httpx":
            return _of_httpx(error, at)
        # Of files that are read and written meanwhile, others are to be told.
        if self._socket and isinstance(error, OSError):
            return NotConnected(f"Nothing answers{at}: {_reason(error)}.", advice=_WHERE)
        return None


class NotConnected(Unreachable):
    """Nothing was sent."""


class Cut(Unreachable):
    """The connection ended in the middle."""


class TimedOut(Unreachable):
    """No answer came in time."""


def _of_httpx(error: Exception, at: str) -> Unreachable | None:
    import httpx

    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol)):
        return NotConnected(f"This is no address: {error}", code="bad_address")
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        advice = _UNENCRYPTED if "WRONG_VERSION_NUMBER" in str(error) else _WHERE
        return NotConnected(f"Nothing answers{at}: {_reason(error)}.", advice=advice)
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(
            f"The service{at} does not answer in time.",
            code="timed_out",
            advice="Try again. On a slow link, set SUBMARINE_TIMEOUT to more seconds.",
        )
    if isinstance(error, httpx.HTTPError):
        return Cut(f"The connection to the service{at} was cut: {_reason(error)}.", code="cut")
    return None


def _reason(error: BaseException) -> str:
    return str(error).rstrip(".") or "it takes too long"


class Left(BaseException):
    """Whoever took what a flow hands out has gone: it may still close what it opened."""


class SyncTransport:
    """Does what calls yield, and waits for it."""

    def __init__(self, *, timeout: float, user_agent: str, verify: Any) -> None:
        import httpx

        self.timeout = timeout
        self.user_agent = user_agent
        self.http: httpx.Client = httpx.Client(**_settings(user_agent, verify))

    def run(self, steps: Steps[T]) -> T:
        """What the call comes to."""
        going = _Going(steps)
        while not going.ended:
            going.take(*self._do(going.step))
        return going.result  # type: ignore[no-any-return]

    def flow(self, items: Items[T]) -> Iterator[T]:
        """What the flow hands out."""
        going = _Going(items)
        try:
            while not going.ended:
                if isinstance(going.step, Item):
                    yield going.step.value
                    going.take(None, None)
                else:
                    going.take(*self._do(going.step))
        finally:
            with suppress(Left):
                going.leave()
                while not going.ended:
                    going.take(*self._do(going.step))

    def close(self) -> None:
        self.http.close()

    def _do(self, step: Any) -> tuple[Any, BaseException | None]:
        try:
            return step.sync(self), None
        except BaseException as error:  # noqa: BLE001 - the call decides, and may clean up
            return None, error


class AsyncTransport:
    """Does what calls yield, and lets others go on meanwhile."""

    def __init__(self, *, timeout: float, user_agent: str, verify: Any) -> None:
        import httpx

        self.timeout = timeout
        self.user_agent = user_agent
        self.http: httpx.AsyncClient = httpx.AsyncClient(**_settings(user_agent, verify))

    async def run(self, steps: Steps[T]) -> T:
        """What the call comes to."""
        going = _Going(steps)
        while not going.ended:
            going.take(*await self._do(going.step))
        return going.result  # type: ignore[no-any-return]

    async def flow(self, items: Items[T]) -> AsyncIterator[T]:
        """What the flow hands out."""
        going = _Going(items)
        try:
            while not going.ended:
                if isinstance(going.step, Item):
                    yield going.step.value
                    going.take(None, None)
                else:
                    going.take(*await self._do(going.step))
        finally:
            with suppress(Left):
                going.leave()
                while not going.ended:
                    going.take(*await self._do(going.step))

    async def close(self) -> None:
        await self.http.aclose()

    async def _do(self, step: Any) -> tuple[Any, BaseException | None]:
        try:
            return await step.asynchronous(self), None
        except BaseException as error:  # noqa: BLE001 - the call decides, and may clean up
            return None, error


class _Going:
    """Steps on their way: `step` is the present one, until `ended`."""

    def __init__(self, steps: Any) -> None:
        self._steps = steps
        self.ended = False
        self.result: Any = None
        self.step: Any = None
        self.take(None, None)

    def take(self, answer: Any, failure: BaseException | None) -> None:
        """Go on with what came of the present step; raises what the steps raise."""
        try:
            if failure is None:
                self.step = self._steps.send(answer)
            else:
                self.step = self._steps.throw(failure)
        except StopIteration as end:
            self.ended, self.result = True, end.value
        except BaseException:
            self.ended = True
            raise

    def leave(self) -> None:
        """Have them end, if they have not."""
        if not self.ended:
            self.take(None, Left())


def _patience(seconds: float) -> Any:
    import httpx

    # Many calls share few connections: to wait for one says nothing of the service.
    return httpx.Timeout(seconds, pool=None)


def _settings(user_agent: str, verify: Any) -> dict[str, Any]:
    import httpx

    return {
        "headers": {"User-Agent": user_agent, "Accept": "application/json"},
        "limits": httpx.Limits(max_connections=MAX_CONNECTIONS),
        # A token goes where it was meant to go, and nowhere else.
        "follow_redirects": False,
        "verify": verify,
    }
