"""Follows one resource in a thread of its own: lists it, then watches it from there on, for good.

After client-go's Reflector (https://pkg.go.dev/k8s.io/client-go/tools/cache#Reflector): what ended
in order or broke is resumed from the last version that was seen, what the API refuses to resume
(410 Gone) is listed anew, and no error is the last one.
"""

import logging
import random
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread

from notebooks.backends.kubernetes.api import Api, ApiError, Json
from submarine_site.core.outside import BackendUnavailable

logger = logging.getLogger(__name__)

PAGE = 500

WATCH_SECONDS = 30
"""How long one watch lasts: its end, in order, says that the API is alive where nothing happens."""

CATCH_UP_SECONDS = 1
"""The first watch after an error: once it has ended, all that was missed is known."""

CURRENT_SECONDS = 45.0
"""How long ago the API may have been heard of; a watch of which nothing comes may be a dead one."""

SHORT_SECONDS = 0.5
"""A watch that ends in order sooner than this was no watch."""

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0

LIST_AFTER_FAILURES = 8
"""An API that was away for longer may be back from a backup, without the version we are at."""


class Reflector(Thread):
    """Gives `replace` everything that there is, then `change` each change: its type, the object;
    of each these `parts`.
    """

    def __init__(
        self,
        api: Api,
        resource: str,
        parts: type,
        *,
        replace: Callable[[Iterator[Json]], None],
        change: Callable[[str, Json], None],
        **query: str,
    ) -> None:
        super().__init__(name=f"watch of {resource}", daemon=True)
        self.listed = Event()
        self._api = api
        self._resource = resource
        self._parts = parts
        self._replace = replace
        self._change = change
        self._query = query
        self._version = ""
        self._heard: float | None = None
        self._failures = 0
        self._ended = Event()

    @property
    def is_current(self) -> bool:
        """Whether what was told is all that there is to tell."""
        heard = self._heard
        return heard is not None and time.monotonic() - heard < CURRENT_SECONDS

    def end(self) -> None:
        """Let the thread end, at the latest when the watch that stands does. Does not wait."""
        self._ended.set()

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                if not self._version:
                    self._list()
                self._watch()
            except ApiError as error:
                self._fail(error)
                self._version = ""
            except BackendUnavailable as error:
                self._fail(error)
                if self._failures >= LIST_AFTER_FAILURES:
                    self._version = ""
            except Exception as error:
                # A thread that ends would leave everybody deaf, and nobody would know.
                logger.exception("watch of %s", self._resource)
                self._fail(error)
                self._version = ""
            if self._failures:
                self._ended.wait(_pause(self._failures))

    def _list(self) -> None:
        self._replace(self._items())
        self._hear()
        self.listed.set()

    def _items(self) -> Iterator[Json]:
        query: dict[str, str | int] = {**self._query, "limit": PAGE}
        while True:
            page = self._api.get_list(self._parts, self._resource, **query)
            yield from page["items"]
            metadata = page["metadata"]
            if not metadata.get("continue"):
                self._version = metadata["resourceVersion"]
                return
            query["continue"] = metadata["continue"]

    def _watch(self) -> None:
        began = time.monotonic()
        seconds = WATCH_SECONDS if self.is_current else CATCH_UP_SECONDS
        changes = self._api.watch(
            self._parts,
            self._resource,
            seconds=seconds,
            resourceVersion=self._version,
            **self._query,
        )
        for kind, changed in changes:
            if self._ended.is_set():
                return
            if kind != "BOOKMARK":
                self._change(kind, changed)
            self._version = changed["metadata"]["resourceVersion"]
            self._failures = 0
            if seconds == WATCH_SECONDS:
                self._hear()
        if time.monotonic() - began < SHORT_SECONDS:
            self._failures += 1
            return
        self._failures = 0
        self._hear()

    def _hear(self) -> None:
        if self._heard is None:
            logger.info("following %s", self._resource)
        self._heard = time.monotonic()

    def _fail(self, error: Exception) -> None:
        self._failures += 1
        if self._heard is not None or self._failures == 1:
            logger.warning("%s cannot be followed: %s", self._resource, error)
        self._heard = None


def _pause(failures: int) -> float:
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (failures - 1))
    return random.uniform(longest / 2, longest)  # noqa: S311 - so that not all come at once
