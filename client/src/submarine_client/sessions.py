"""Sessions: start, find, follow, stop, and work in them."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from submarine_client.errors import NotFound, SessionFailed, SubmarineError, WaitTimedOut
from submarine_client.files import Files
from submarine_client.kernel import Kernel
from submarine_client.models import Event, Log, Opened, SessionInfo
from submarine_client.requests import PATIENCE, Site, ask, create, pages
from submarine_client.steps import Bound, Call, Flow, Item, Items, M, Runner, Steps, through
from submarine_client.tail import overlap
from submarine_client.transport import Pause
from submarine_client.watch import TROUBLES, Watch

if sys.version_info >= (3, 11):
    from typing import NotRequired, TypedDict
else:
    from typing_extensions import NotRequired, TypedDict

ACTIVE = frozenset({"requested", "starting", "running", "stopping"})
"""The states that a session leaves by itself or when it is asked to."""
LOG_SECONDS = 1.0
_FIRST_LOOK, _LAST_LOOK = 0.3, 2.0

OnChange = Callable[[SessionInfo], None]
OnAway = Callable[[SubmarineError], None]


class CodeSource(TypedDict):
    """A git repository to start with; see the service's documentation for each field."""

    url: str
    ref: NotRequired[str]
    folder: NotRequired[str]
    depth: NotRequired[int]
    submodules: NotRequired[bool]
    sparse: NotRequired[str]
    credential: NotRequired[str]


class MountAt(TypedDict):
    """One of your volumes, by its id, and where it is to be below the home."""

    volume: str
    path: str
    read_only: NotRequired[bool]


class Session(Bound[M]):
    """A session. `info` is what was read of it last."""

    def __init__(self, runner: Runner, site: Site, info: SessionInfo) -> None:
        super().__init__(runner)
        self._site = site
        self.info = info

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def status(self) -> str:
        return self.info.status

    def __repr__(self) -> str:
        return f"<Session {self.name!r} {self.status} {self.id}>"

    @Call
    def refresh(self) -> Steps[SessionInfo]:
        """Read it anew."""
        return (yield from self._read())

    @Flow
    def follow(self, *, on_away: OnAway | None = None) -> Items[SessionInfo]:
        """Hand it out now and after each change of its state or phase, for good.

        While the service is away or asks for patience, `on_away` is told, and it is looked for
        again.
        """
        return self._changes(on_away)

    @Call
    def wait(
        self,
        until: str = "running",
        *,
        timeout: float | None = None,
        on_change: OnChange | None = None,
        on_away: OnAway | None = None,
    ) -> Steps[Session[M]]:
        """Wait until it is in the state `until`, and return it.

        Raises `SessionFailed` when it has failed, or stopped, in place of that, and `WaitTimedOut`
        after `timeout` seconds. The session goes on in either case, and when the wait is broken
        off.
        """
        ends = None if timeout is None else time.monotonic() + timeout

        def is_there(info: SessionInfo) -> bool:
            if on_change:
                on_change(info)
            self._give_up(info, until)
            return info.status == until

        yield from through(self._changes(on_away, ends), is_there)
        return self

    @Call
    def stop(self) -> Steps[Session[M]]:
        """Ask for its end; `wait("stopped")` waits for it."""
        return (yield from self._verb("stop"))

    @Call
    def start(self, *, rescue: bool = False, charge_to: str | None = None) -> Steps[Session[M]]:
        """Start it again. To the rescue: without code, the server's own files elsewhere. Charged is
        the group's pool that was charged last, unless another is said.
        """
        body: dict[str, Any] = {"rescue": rescue}
        if charge_to is not None:
            body["charge_to"] = charge_to
        return (yield from self._verb("start", body))

    @Call
    def update_environment(self) -> Steps[Session[M]]:
        """Have the next start use the newest version of the environment."""
        return (yield from self._verb("update-environment"))

    @Call
    def update(self, /, **changes: Any) -> Steps[Session[M]]:
        """Change its `name`, or the `code`, `opens`, `variables`, `secrets` or `mounts` of the next
        start.
        """
        said = yield from ask(self._site, "PATCH", self._path(), body=changes)
        self.info = SessionInfo.of(said)
        return self

    @Call
    def delete(self) -> Steps[None]:
        """Delete it. Its home and volumes stay."""
        yield from ask(self._site, "DELETE", self._path())

    @Call
    def open(self, path: str = "lab") -> Steps[Opened]:
        """An address that lets one browser in, once, within 30 seconds."""
        said = yield from ask(
            self._site, "POST", self._path("open/"), body={"path": path}, repeatable=True
        )
        return Opened.of(said)

    @Flow
    def events(self) -> Items[Event]:
        """What happened to it, newest first."""
        return pages(self._site, self._path("events/"), Event.of)

    @Call
    def log(self) -> Steps[str]:
        """The last lines that its present or last server wrote."""
        return (yield from self._log()).text

    @Flow
    def follow_log(self) -> Items[str]:
        """The lines that its server writes, those of the end so far first, until the run ends."""
        before: list[str] = []
        with Watch(self._site) as watch:
            while True:
                try:
                    info = yield from self._read()
                    lines = (yield from self._log()).text.splitlines()
                except TROUBLES as error:
                    # No worker, or no service: the lines are there when it is back.
                    yield watch.bear(error, LOG_SECONDS)
                    continue
                for line in lines[overlap(before, lines) :]:
                    yield Item(line)
                before = lines or before
                if info.status not in ACTIVE:
                    return
                yield watch.next(LOG_SECONDS)

    def kernel(self, name: str | None = None) -> Kernel[M]:
        """A kernel to run code on, while the session runs; it is started when it is first used.

        Without a name it is the kernel of new notebooks: the first one that the session's
        environment declares, or else the server's own Python, whose name is `python3`.
        """
        return Kernel(self._runner, self._site, self.id, name)

    @property
    def files(self) -> Files[M]:
        """Its home, while it runs."""
        return Files(self._runner, self._site, self.id)

    def _path(self, rest: str = "") -> str:
        return f"sessions/{self.id}/{rest}"

    def _read(self, ends: float | None = None, patience: float = PATIENCE) -> Steps[SessionInfo]:
        said = yield from ask(self._site, "GET", self._path(), ends=ends, patience=patience)
        self.info = SessionInfo.of(said)
        return self.info

    def _log(self) -> Steps[Log]:
        return Log.of((yield from ask(self._site, "GET", self._path("logs/"))))

    def _verb(self, verb: str, body: Mapping[str, Any] | None = None) -> Steps[Session[M]]:
        # Asked twice, these change nothing more.
        said = yield from ask(
            self._site, "POST", self._path(f"{verb}/"), body=body or {}, repeatable=True
        )
        self.info = SessionInfo.of(said)
        return self

    def _changes(self, on_away: OnAway | None, ends: float | None = None) -> Items[SessionInfo]:
        before: object = None
        look = _FIRST_LOOK
        with Watch(self._site) as watch:
            while True:
                try:
                    # Without patience of its own: who waits is told.
                    info = yield from self._read(ends, patience=0)
                except TROUBLES as error:
                    pause = watch.bear(error, _LAST_LOOK)
                    if on_away:
                        on_away(error)
                else:
                    now = (info.status, info.run and [p.raw for p in info.run.phases])
                    if now != before:
                        before, look = now, _FIRST_LOOK
                        yield Item(info)
                    else:
                        look = min(look * 1.5, _LAST_LOOK)
                    pause = watch.next(look)
                yield self._until(pause, ends)

    def _until(self, pause: Pause, ends: float | None) -> Pause:
        if ends is None:
            return pause
        left = ends - time.monotonic()
        if left <= 0:
            raise WaitTimedOut(
                f"“{self.name}” is still {self.status}.", advice="It goes on by itself."
            )
        return Pause(min(pause.seconds, left))

    def _give_up(self, info: SessionInfo, until: str) -> None:
        over = {"failed"} if until == "stopped" else {"failed", "stopped"}
        if info.status not in over:
            return
        if info.reason and info.status == "failed":
            raise SessionFailed(
                f"“{info.name}” has failed: {info.reason.message}",
                code=info.reason.code,
                advice=info.reason.advice,
            )
        raise SessionFailed(f"“{info.name}” has {info.status}.")


class Sessions(Bound[M]):
    """Your sessions."""

    def __init__(self, runner: Runner, site: Site) -> None:
        super().__init__(runner)
        self._site = site

    @Call
    def create(
        self,
        *,
        profile: str,
        environment: str,
        name: str | None = None,
        code: Sequence[CodeSource] | None = None,
        opens: str | None = None,
        variables: Mapping[str, str] | None = None,
        secrets: Sequence[str] | None = None,
        mounts: Sequence[MountAt] | None = None,
        charge_to: str | None = None,
        idempotency_key: str | None = None,
    ) -> Steps[Session[M]]:
        """Start a new session; `wait` waits until it runs.

        However often it has to be sent, there is one session: each call has a key of its own,
        unless it is given one.
        """
        chosen = {
            "profile": profile,
            "environment": environment,
            "name": name,
            "code": code,
            "opens": opens,
            "variables": variables,
            "secrets": secrets,
            "mounts": mounts,
            "charge_to": charge_to,
        }
        body = {name: value for name, value in chosen.items() if value is not None}
        said = yield from create(self._site, "sessions/", body, key=idempotency_key)
        return self._session(said)

    @Flow
    def list(
        self,
        *,
        status: Sequence[str] = (),
        name: str | None = None,
        profile: str | None = None,
        environment: str | None = None,
        ordering: str | None = None,
    ) -> Items[Session[M]]:
        """Those of these states, with this part of a name, and so on; newest first, or ordered by
        `name` or `created_at`, descending with a `-` before it.
        """
        asked = [("status", each) for each in status]
        given = {
            "name": name,
            "profile": profile,
            "environment": environment,
            "ordering": ordering,
        }
        asked += [(key, value) for key, value in given.items() if value]
        return pages(self._site, "sessions/", self._session, [*asked, ("page_size", "200")])

    @Call
    def get(self, session: str) -> Steps[Session[M]]:
        """The session with this id or name. Raises `NotFound`, also if several have the name."""
        if _is_id(session):
            return (yield from self.by_id(session))
        asked = [("name", session), ("page_size", "200")]
        rows: list[Session[M]] = []
        yield from through(pages(self._site, "sessions/", self._session, asked), rows.append)
        # Asked for is a part of the name.
        found = [each for each in rows if each.name == session]
        if len(found) == 1:
            return found[0]
        if found:
            raise NotFound(
                f"{len(found)} of your sessions are named “{session}”.",
                code="ambiguous",
                advice="Say which by its id.",
            )
        raise NotFound(f"None of your sessions is named “{session}”.", code="not_found")

    def by_id(self, session_id: str) -> Steps[Session[M]]:
        """The steps to read one."""
        return self._session((yield from ask(self._site, "GET", f"sessions/{session_id}/")))

    def _session(self, said: Any) -> Session[M]:
        return Session(self._runner, self._site, SessionInfo.of(said))


def _is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
