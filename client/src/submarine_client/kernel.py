"""Code that runs in a session, by Jupyter's own protocol for kernels."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from submarine_client.errors import (
    ExecutionFailed,
    KernelDied,
    NotFound,
    SubmarineError,
    Unreachable,
    WaitTimedOut,
)
from submarine_client.jupyter import Jupyter
from submarine_client.requests import Site
from submarine_client.steps import (
    Async,
    Bound,
    Call,
    Flow,
    Item,
    Items,
    M,
    Runner,
    Steps,
    Sync,
    through,
)
from submarine_client.transport import Close, Connect, Receive, Send, SocketRefused
from submarine_client.watch import AWAY_SECONDS, TROUBLES, Watch

_QUIET_SECONDS = 5.0
_CONNECT_SECONDS = 10.0
_REDIAL_SECONDS = 1.0
_ENDS = frozenset({"session_stopping", "session_stopped", "session_failed"})
"""What the gateway says of a session that will not be back with this kernel."""
_LOOKS = 3
_PROTOCOL = "5.3"


@dataclass(frozen=True)
class Output:
    """Something that code gave. `kind` is `stdout`, `stderr`, `display` or `result`.

    `data` has it by its media types, as notebooks have it; `text` is the plain one.
    """

    kind: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """All that code gave."""

    outputs: list[Output]

    @property
    def stdout(self) -> str:
        return self._joined("stdout")

    @property
    def stderr(self) -> str:
        return self._joined("stderr")

    @property
    def text(self) -> str:
        """Of the value of the last expression; empty if it had none."""
        return self._joined("result")

    def _joined(self, kind: str) -> str:
        return "".join(each.text for each in self.outputs if each.kind == kind)


class Kernel(Bound[M]):
    """A kernel of a session. It keeps what code has defined until it is closed."""

    def __init__(self, runner: Runner, site: Site, session_id: str, name: str | None) -> None:
        super().__init__(runner)
        self._jupyter = Jupyter(site, session_id)
        self._name = name
        self._id = ""
        self._socket: Any = None
        self._was_connected = False
        # By this Jupyter knows who comes back, and has kept what came meanwhile.
        self._client = uuid.uuid4().hex

    @Call
    def run(self, code: str, *, timeout: float | None = None) -> Steps[Result]:
        """Run code and return what it gave.

        Raises `ExecutionFailed` when it raises an error. After `timeout` seconds without anything
        new it is interrupted, and `WaitTimedOut` raised.
        """
        outputs: list[Output] = []
        yield from through(self._outputs(code, timeout), outputs.append)
        return Result(outputs)

    @Flow
    def stream(self, code: str, *, timeout: float | None = None) -> Items[Output]:
        """Run code and hand out what it gives as it comes. Raises as `run` does."""
        return self._outputs(code, timeout)

    @Call
    def interrupt(self) -> Steps[None]:
        """Interrupt what runs on it."""
        yield from self._interrupt()

    @Call
    def close(self) -> Steps[None]:
        """End it, with what runs on it."""
        yield from self._hang_up()
        if self._id:
            try:
                yield from self._jupyter.ask("DELETE", f"api/kernels/{self._id}")
            except NotFound:
                pass
            finally:
                self._id = ""

    def __enter__(self) -> Kernel[M]:
        return self

    def __exit__(self: Kernel[Sync], kind: object, *_: object) -> None:
        # What went wrong before is what to tell.
        with suppress(SubmarineError) if kind else nullcontext():
            self.close()

    async def __aenter__(self) -> Kernel[M]:
        return self

    async def __aexit__(self: Kernel[Async], kind: object, *_: object) -> None:
        with suppress(SubmarineError) if kind else nullcontext():
            await self.close()

    def _outputs(self, code: str, timeout: float | None) -> Items[Output]:
        yield from self._dial()
        cell = _Cell(uuid.uuid4().hex)
        yield from self._send(cell.message_id, code)
        looks = 0
        while not cell.is_done:
            try:
                message = yield from self._receive(timeout)
            except KeyboardInterrupt:
                yield from self._interrupt()
                raise
            if message is not None:
                looks = 0
                if (output := cell.take(message)) is not None:
                    yield Item(output)
                continue
            if timeout is not None:
                yield from self._interrupt()
                raise WaitTimedOut(f"Nothing came of the code within {timeout:g} s.")
            looks = looks + 1 if (yield from self._is_idle()) else 0
            if looks == _LOOKS:
                raise Unreachable(
                    "The connection was cut, and the end of what the code gave is lost.",
                    code="cut",
                )
        if cell.failure:
            raise cell.failure

    def _dial(self) -> Steps[None]:
        """Start the kernel if there is none, and connect to it if that is not so."""
        if not self._id:
            # Without a name Jupyter starts its default.
            body = {} if self._name is None else {"name": self._name}
            said = yield from self._jupyter.ask("POST", "api/kernels", body=body, repeatable=False)
            self._id = said["id"]
        if self._socket is not None:
            return
        # What runs already is not given up as soon as what was never reached.
        bears = AWAY_SECONDS if self._was_connected else _CONNECT_SECONDS
        with Watch(self._jupyter.site, away_seconds=bears) as watch:
            while self._socket is None:
                try:
                    self._socket = yield from self._connect()
                    self._was_connected = True
                except TROUBLES as error:
                    if error.code in _ENDS:
                        raise KernelDied(
                            "The session does not run any more, and its kernel has ended.",
                            code=error.code,
                            advice=error.message,
                        ) from error
                    yield watch.bear(error, _REDIAL_SECONDS)

    def _connect(self) -> Steps[Any]:
        base = yield from self._jupyter.base()
        address = f"{base}api/kernels/{self._id}/channels?session_id={self._client}"
        try:
            return (
                yield Connect(address.replace("http", "ws", 1), self._jupyter.site.credentials())
            )
        except SocketRefused as error:
            if error.status == 404:
                raise _died() from error
            # The gateway's words for it: it says them to a request that is none of a socket.
            yield from self._jupyter.ask("GET", f"api/kernels/{self._id}")
            raise

    def _hang_up(self) -> Steps[None]:
        if self._socket is not None:
            socket, self._socket = self._socket, None
            yield Close(socket)

    def _send(self, message_id: str, code: str) -> Steps[None]:
        message = {
            "header": {
                "msg_id": message_id,
                "username": "",
                "session": self._client,
                "msg_type": "execute_request",
                "version": _PROTOCOL,
                "date": datetime.now(timezone.utc).isoformat(),  # noqa: TID251
            },
            "parent_header": {},
            "metadata": {},
            "channel": "shell",
            "content": {"code": code, "silent": False, "allow_stdin": False},
        }
        yield Send(self._socket, json.dumps(message))

    def _receive(self, timeout: float | None) -> Steps[Any]:
        """The next message; None if it is quiet. A connection that was cut is made anew."""
        while True:
            try:
                said = yield Receive(self._socket, _QUIET_SECONDS if timeout is None else timeout)
            except Unreachable:
                yield from self._hang_up()
                yield from self._dial()
            else:
                return None if said is None else _message(said)

    def _is_idle(self) -> Steps[bool]:
        """Whether nothing runs on it. Raises `KernelDied` if it is gone."""
        try:
            said = yield from self._jupyter.ask("GET", f"api/kernels/{self._id}")
        except NotFound as error:
            raise _died() from error
        if said["execution_state"] == "dead":
            raise _died()
        return bool(said["execution_state"] == "idle")

    def _interrupt(self) -> Steps[None]:
        if self._id:
            yield from self._jupyter.ask(
                "POST", f"api/kernels/{self._id}/interrupt", body={}, repeatable=True
            )


class _Cell:
    """Code that runs, and what has come of it."""

    def __init__(self, message_id: str) -> None:
        self.message_id = message_id
        self.failure: SubmarineError | None = None
        # The reply and the end of what is shown come by ways of their own.
        self._is_replied = self._is_idle = False

    @property
    def is_done(self) -> bool:
        return self._is_replied and self._is_idle

    def take(self, message: Mapping[str, Any]) -> Output | None:
        """What a message shows. Raises `KernelDied`."""
        kind, content = message["msg_type"], message["content"]
        if content.get("execution_state") in {"restarting", "dead"}:
            raise _died()
        if message["parent_header"].get("msg_id") != self.message_id:
            return None
        if kind == "execute_reply":
            self._is_replied = True
            if content["status"] == "aborted":
                self.failure = KernelDied("The code was not run.", code="aborted")
        elif kind == "status":
            self._is_idle = content["execution_state"] == "idle"
        elif kind == "error":
            self.failure = ExecutionFailed(
                content["ename"], content["evalue"], content["traceback"]
            )
        return _output(kind, content)


def _message(said: str | bytes) -> Any:
    if isinstance(said, str):
        return json.loads(said)
    # With buffers: how many parts there are, where each begins, and the parts, the first in JSON.
    count = int.from_bytes(said[:4], "big")
    begins = [int.from_bytes(said[at : at + 4], "big") for at in range(4, 4 * (count + 1), 4)]
    return json.loads(said[begins[0] : (begins[1] if count > 1 else len(said))])


def _output(kind: str, content: Mapping[str, Any]) -> Output | None:
    if kind == "stream":
        return Output(str(content["name"]), content["text"])
    if kind in {"execute_result", "display_data"}:
        data = content["data"]
        shown = "result" if kind == "execute_result" else "display"
        return Output(shown, data.get("text/plain", ""), data)
    return None


def _died() -> KernelDied:
    return KernelDied(
        "The kernel has ended in the middle.",
        advice="It may have needed more memory than the session has.",
    )
