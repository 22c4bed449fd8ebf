"""The Kubernetes API as plain JSON, with the official client's credentials, over `connections`.

That client's models are left out: they take longer to build than the server takes to answer. Every
call has a timeout. What does not come about raises `BackendUnavailable`, of which `ApiError` is
what the server refused.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeAlias, TypedDict, TypeVar
from urllib.parse import urlencode

from kubernetes.client import Configuration
from kubernetes.config import (
    ConfigException,
    list_kube_config_contexts,
    load_incluster_config,
    load_kube_config,
)
from msgspec import Raw, Struct
from msgspec.json import Decoder, encode

from notebooks.backends.kubernetes.connections import Connections
from submarine_site.core.outside import BackendUnavailable

Json: TypeAlias = dict[str, Any]
Part = TypeVar("Part")

READ_SECONDS = 20.0
BLOCK_BYTES = 64 * 1024
TOKEN_SECONDS = 10.0

# The Date of an answer has whole seconds, and the answer was under way.
CLOCK_TOLERANCE = timedelta(seconds=2)

_MERGE = "application/merge-patch+json"
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_METADATA_OF_ONE = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_ROOTS = {"jobs": "/apis/batch/v1", "networkpolicies": "/apis/networking.k8s.io/v1"}
_WITHOUT_NAMESPACE = {"nodes"}
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_LATER = {HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


class ApiError(BackendUnavailable):
    """The API refused: its HTTP status and its reason in one word.

    Where nobody makes more of it, it is the service itself that was refused, as for want of a
    right: an operator mends that, and what was to be done is done then.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"The Kubernetes API refused ({status} {reason}): {message}")
        self.status = status
        self.reason = reason
        self.said = message


class _Listed(TypedDict, Generic[Part], total=False):
    metadata: Json
    items: list[Part]


class _Change(Struct):
    """One line of a watch. The object is read once it is known what it is."""

    type: str
    object: Raw


_JSON = Decoder(Json)
_CHANGE = Decoder(_Change)


class Api:
    """One cluster. Threads may share it; processes may not."""

    def __init__(self, *, namespace: str = "", kubeconfig: str = "") -> None:
        """Finds the cluster as `kubectl` does; in a pod without a kubeconfig, the pod's own.

        Unless a namespace is named it is the kubeconfig's, or the pod's.
        """
        self._configuration = Configuration()
        found = _load(self._configuration, kubeconfig or os.environ.get("KUBECONFIG", ""))
        self.namespace = namespace or found
        self._connections = Connections(self._configuration)
        self._token: Mapping[str, str] = {}
        self._token_until = 0.0
        self._date = ""
        self.offset = timedelta(0)
        """How far the cluster's clock is ahead of ours; zero where they agree."""

    def now(self) -> datetime:
        """What the cluster's clock says, as of the last answer."""
        return _now() + self.offset

    def get(self, path: str, **query: str | int) -> Json:
        """Read one object or a list: `pods`, `pods/NAME`."""
        return self._json("GET", path, query)

    def get_list(self, parts: type, path: str, **query: str | int) -> Json:
        """Read a list, of its objects no more than these parts, which takes a tenth of the time."""
        with self._answer("GET", path, query) as response:
            return _decoder(_Listed[parts]).decode(response.read())  # type: ignore[valid-type]

    def get_metadata(self, path: str, **query: str | int) -> list[Json]:
        """Read a list without what its objects hold: secrets are not to be known here."""
        answer = self._json("GET", path, query, accept=_METADATA)
        items: list[Json] = answer["items"] or []
        return items

    def get_text(self, path: str, **query: str | int) -> str:
        with self._answer("GET", path, query) as response:
            return response.read().decode(errors="replace")

    def create(self, path: str, body: Json) -> None:
        # What was made need not be sent back as a whole.
        self._json("POST", path, {}, body, accept=_METADATA_OF_ONE)

    def replace(self, path: str, body: Json) -> Json:
        return self._json("PUT", path, {}, body)

    def merge(self, path: str, body: Json) -> Json:
        """Change what `body` has of an object. A `uid` in it demands that it be that very one."""
        return self._json("PATCH", path, {}, body, content_type=_MERGE)

    def delete(self, path: str, *, uid: str = "", grace_seconds: int | None = None) -> bool:
        """Ask for the removal; whether there was anything to remove. `uid` demands that it still
        be that very object.
        """
        options: Json = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            self._json("DELETE", path, {}, options)
        except ApiError as error:
            if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                return False
            raise
        return True

    def watch(
        self, parts: type, path: str, *, seconds: int, **query: str | int
    ) -> Iterator[tuple[str, Json]]:
        """Yield the changes of a list, for at most so many seconds: the type of the change, and
        these parts of the object.

        Raises `ApiError` with status 410 when it has to be listed anew.
        """
        follow = {**query, "watch": 1, "allowWatchBookmarks": "true", "timeoutSeconds": seconds}
        decode = _decoder(parts).decode
        with self._answer("GET", path, follow, read_seconds=seconds + READ_SECONDS) as response:
            for line in _lines(response):
                change = _CHANGE.decode(line)
                if change.type == "ERROR":
                    status = _decoded(change.object)
                    _refuse(status.get("code", 0), status)
                yield change.type, decode(change.object)

    def _json(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: Json | None = None,
        *,
        accept: str = "application/json",
        content_type: str = "application/json",
    ) -> Json:
        with self._answer(
            method, path, query, body, accept=accept, content_type=content_type
        ) as response:
            return _decoded(response.read())

    @contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: Json | None = None,
        *,
        accept: str = "application/json",
        content_type: str = "application/json",
        read_seconds: float = READ_SECONDS,
    ) -> Iterator[HTTPResponse]:
        try:
            headers = {
                "Accept": accept,
                "Content-Type": content_type,
                **self._authorization(),
            }
            with self._connections.request(
                method,
                _url(path, self.namespace, query),
                body=None if body is None else encode(body),
                headers=headers,
                read_seconds=read_seconds,
            ) as response:
                self._note_clock(response)
                if response.status >= HTTPStatus.BAD_REQUEST:
                    _refuse(response.status, _decoded(response.read()))
                yield response
        except (HTTPException, ConfigException, ValueError, OSError) as error:
            raise _unavailable(type(error).__name__) from error

    def _authorization(self) -> Mapping[str, str]:
        """The token, where there is one. Those of files and programs end, and so it is asked for
        anew now and then; each time would take as long as the rest of a call.
        """
        if time.monotonic() >= self._token_until:
            token = self._configuration.get_api_key_with_prefix("BearerToken", "authorization")
            self._token = {"Authorization": token} if token else {}
            self._token_until = time.monotonic() + TOKEN_SECONDS
        return self._token

    def _note_clock(self, response: HTTPResponse) -> None:
        date = response.headers.get("Date", "")
        if date == self._date:
            return
        self._date = date
        try:
            theirs = parsedate_to_datetime(date)
        except ValueError:
            return
        offset = theirs + timedelta(seconds=0.5) - _now()
        # Else times that were told once would be others at each look.
        if abs(offset - self.offset) > CLOCK_TOLERANCE:
            self.offset = offset


def _load(configuration: Configuration, kubeconfig: str) -> str:
    """Fill in where the cluster is and who we are; returns the namespace that goes with it."""
    if not kubeconfig and _NAMESPACE_FILE.exists():
        load_incluster_config(client_configuration=configuration)
        return _NAMESPACE_FILE.read_text().strip()
    load_kube_config(config_file=kubeconfig or None, client_configuration=configuration)
    _, active = list_kube_config_contexts(config_file=kubeconfig or None)
    return str(active["context"].get("namespace", "default"))


def _url(path: str, namespace: str, query: Mapping[str, str | int]) -> str:
    """`path` is a resource in the plural, then perhaps a name and a part of it; or absolute."""
    if path.startswith("/"):
        return path
    resource = path.partition("/")[0]
    root = _ROOTS.get(resource, "/api/v1")
    if resource not in _WITHOUT_NAMESPACE:
        root = f"{root}/namespaces/{namespace}"
    return f"{root}/{path}" + (f"?{urlencode(query)}" if query else "")


@cache
def _decoder(shape: Any) -> Decoder[Json]:
    return Decoder(shape)


def _decoded(raw: bytes | Raw) -> Json:
    return _JSON.decode(raw)


def _lines(response: HTTPResponse) -> Iterator[bytes]:
    rest = b""
    while block := response.read1(BLOCK_BYTES):
        *lines, rest = (rest + block).split(b"\n")
        yield from lines


def _refuse(status: int, answer: Json) -> NoReturn:
    reason, message = str(answer.get("reason", "")), str(answer.get("message", ""))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _LATER:
        raise _unavailable(f"{status} {reason}")
    raise ApiError(status, reason, message)


def _unavailable(why: str) -> BackendUnavailable:
    return BackendUnavailable(f"The Kubernetes API did not do it ({why}).")


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - no Django here
