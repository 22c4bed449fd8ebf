"""Whether an image will do for sessions: starts a run of it as a session would be, and looks.

What is found is told as it is found. The home of the run goes with it, so that nobody's is touched;
nothing else of it is left either, however it ends.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from threading import Event
from typing import Any
from uuid import uuid4

from notebooks.addresses import base_path
from notebooks.backends.contract import Backend, Observed, RunKey, RunState, SessionSpec
from submarine_site.core.outside import BackendError
from submarine_site.core.placement import Placement
from submarine_site.core.resources import Resources

LOOK_AGAIN_SECONDS = 0.5
ANSWER_SECONDS = 10
ANSWER_BYTES = 1024 * 1024
STOP_SECONDS = 10
"""How long a server may take to end that people should not have to wait for."""
LOG_LINES = 20
NOTE = "submarine-notebooks-check.txt"


class _Nowhere(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: where it leads is the image's choice, and the token would go along."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(_Nowhere)


class Verdict(StrEnum):
    RIGHT = "ok"
    DOUBTFUL = "look"
    """It will do, but."""
    WRONG = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    verdict: Verdict
    text: str


def findings(
    backend: Backend,
    *,
    image: str,
    resources: Resources,
    placement: Placement,
    patience: float,
) -> Iterator[Finding]:
    """Yield what is found, in the order of a session's life. `patience` is in seconds."""
    key = RunKey(uuid4(), uuid4())
    spec = SessionSpec(
        key=key,
        display_name="Image check",
        owner="operator",
        image=image,
        resources=resources,
        base_url=base_path(key.session_id),
        token=uuid4().hex,
        placement=placement,
    )
    try:
        yield from _start(backend, spec, patience)
    except BackendError as error:
        yield Finding(Verdict.WRONG, error.message)
    except OSError as error:
        yield Finding(Verdict.WRONG, f"It no longer answered: {error}.")
    finally:
        _end(backend, key, patience)


def _start(backend: Backend, spec: SessionSpec, patience: float) -> Iterator[Finding]:
    backend.start(spec)
    began = time.monotonic()
    seen = _await_start(backend, spec.key, patience)
    took = time.monotonic() - began
    if seen is None:
        yield Finding(Verdict.WRONG, f"Jupyter did not answer within {patience:g} s.")
    elif seen.state is not RunState.READY:
        why = seen.failure_detail or f"It ended with exit code {seen.exit_code}."
        yield Finding(Verdict.WRONG, why)
    if seen is None or seen.state is not RunState.READY:
        if log := backend.logs(spec.key, lines=LOG_LINES):
            yield Finding(Verdict.WRONG, f"The last it wrote:\n{log.rstrip()}")
        return
    yield Finding(
        Verdict.RIGHT, f"It starts, and Jupyter answers under the path it is given: {took:.1f} s."
    )
    yield from _ask(_Server(seen.address + spec.base_url, spec.token))
    yield from _stop(backend, spec.key, patience)


def _await_start(backend: Backend, key: RunKey, patience: float) -> Observed | None:
    """See it answer or fail; None if it does neither in time."""
    deadline = time.monotonic() + patience
    pause = Event()
    while time.monotonic() < deadline:
        seen = backend.observe(key)
        if seen and (seen.failure_code or seen.state in {RunState.READY, RunState.EXITED}):
            return seen
        pause.wait(LOOK_AGAIN_SECONDS)
    return None


@dataclass(frozen=True, slots=True)
class _Server:
    """A Jupyter server, asked with its token or without."""

    url: str
    token: str

    def ask(self, path: str, *, method: str = "GET", body: Any = None, known: bool = True) -> Any:
        """Its answer; the HTTP status if that is an error, None if it is not JSON. Raises `OSError`
        if there is none.
        """
        request = urllib.request.Request(  # noqa: S310 - the address is the backend's
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"} if known else {},
        )
        try:
            with _opener.open(request, timeout=ANSWER_SECONDS) as response:
                return json.loads(response.read(ANSWER_BYTES) or b"null")
        except urllib.error.HTTPError as error:
            return error.code
        except ValueError:
            return None


def _ask(server: _Server) -> Iterator[Finding]:
    try:
        version = server.ask("api")
    except OSError:
        yield Finding(
            Verdict.DOUBTFUL,
            "This process cannot reach the pod, so that what is behind its address was not looked "
            "into. Run the check where the gateway runs.",
        )
        return
    if not isinstance(version, dict):
        yield Finding(Verdict.WRONG, "What answers is not a Jupyter server.")
        return
    yield Finding(Verdict.RIGHT, f"Jupyter Server is version {version.get('version')}.")
    if server.ask("api/contents", known=False) == HTTPStatus.FORBIDDEN:
        yield Finding(Verdict.RIGHT, "Without the token nobody gets in.")
    else:
        yield Finding(Verdict.WRONG, "It lets in who has no token: it does not read JUPYTER_TOKEN.")
    if not isinstance(server.ask("api/contents"), dict):
        yield Finding(Verdict.WRONG, "It does not let in who has the token of JUPYTER_TOKEN.")
        return
    yield from _look_inside(server)


def _look_inside(server: _Server) -> Iterator[Finding]:
    note = {"type": "file", "format": "text", "content": "kept"}
    if isinstance(server.ask(f"api/contents/{NOTE}", method="PUT", body=note), dict):
        server.ask(f"api/contents/{NOTE}", method="DELETE")
        yield Finding(Verdict.RIGHT, "The home can be written to.")
    else:
        yield Finding(
            Verdict.WRONG, "The home cannot be written to: the image insists on a user of its own."
        )
    kernels = server.ask("api/kernelspecs")
    names = sorted(kernels["kernelspecs"]) if isinstance(kernels, dict) else []
    if names:
        yield Finding(Verdict.RIGHT, f"Kernels: {', '.join(names)}.")
    else:
        yield Finding(Verdict.WRONG, "It has no kernel: install ipykernel.")
    started = server.ask("api/kernels", method="POST", body={"name": names[0]}) if names else {}
    if isinstance(started, int):
        yield Finding(Verdict.WRONG, f"The kernel {names[0]} does not start.")
    if isinstance(server.ask("lab"), int):
        yield Finding(Verdict.WRONG, "There is no JupyterLab under /lab.")


def _stop(backend: Backend, key: RunKey, patience: float) -> Iterator[Finding]:
    began = time.monotonic()
    _end(backend, key, patience)
    took = time.monotonic() - began
    if took <= STOP_SECONDS:
        yield Finding(Verdict.RIGHT, f"It ends when it is told to: {took:.1f} s.")
    else:
        yield Finding(
            Verdict.DOUBTFUL,
            f"It took {took:.0f} s to end: its first process does not pass SIGTERM on to Jupyter. "
            "An entry point such as tini does.",
        )


def _end(backend: Backend, key: RunKey, patience: float) -> None:
    """End the run, as the reconciler does: again and again until nothing is left."""
    deadline = time.monotonic() + patience
    pause = Event()
    backend.stop(key)
    while backend.observe(key) is not None and time.monotonic() < deadline:
        backend.stop(key)
        pause.wait(LOOK_AGAIN_SECONDS)
