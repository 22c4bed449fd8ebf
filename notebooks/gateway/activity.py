"""What counts as use of a session, kept in memory and written in batches.

JupyterLab polls kernels, terminals and contents as long as a tab is open, its Git extension asks by
`POST` how a repository is, and it tells kernels and terminals of itself when it connects, so that
does not count: what a person does is to open a page, to change something, to have a kernel run or
complete something or answer it, or to type in a terminal. Transfers count while they go on: see
`transfers`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from notebooks.gateway.batches import Batches

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
# What jupyterlab-git 0.55 and nbdime 4.0 ask without anybody: every three seconds while they show a
# repository, after what they learn so, and to find out whether a folder is in one.
_ASKED_BY_POST = re.compile(
    r"(git/([^?]*/)?(branch|changed_files|remote/fetch|show_prefix|show_top_level|status|tags)"
    r"|nbdime/api/isgit)(\?|\Z)"
)

_KERNEL = re.compile(r"api/kernels/[^/]+/channels(\?|\Z)")
_TERMINAL = re.compile(r"terminals/websocket/")
# In a string of JSON the quotes would be escaped.
_MESSAGE_TYPE = re.compile(rb'"msg_type"\s*:\s*"([a-z_]+)"')
_ACTS = frozenset({b"execute_request", b"complete_request", b"inspect_request", b"input_reply"})
_TYPED = re.compile(rb'\s*\[\s*"stdin"')


def is_use(method: str, within: str, *, navigation: bool) -> bool:
    """Whether a request to this path in the session is something a person did."""
    return navigation or not is_read(method, within)


def is_read(method: str, within: str) -> bool:
    """Whether a request asks only, which open tabs do by themselves."""
    return method in _READS or (method == "POST" and bool(_ASKED_BY_POST.match(within)))


def is_act(within: str, opening: bytes) -> bool:
    """Whether a message that begins so, to a WebSocket of this path in the session, is something a
    person did. What cannot be told is taken for it.
    """
    if _KERNEL.match(within):
        kind = _MESSAGE_TYPE.search(opening)
        return kind is None or kind[1] in _ACTS
    return bool(_TERMINAL.match(within) and _TYPED.match(opening))


class Activity(Batches[UUID, datetime]):
    """The latest use of each session since the last flush."""

    seconds = 5.0
    what = "Activity"

    def stamp(self, session_id: UUID) -> None:
        self._heard[session_id] = datetime.now(UTC)  # noqa: TID251 - no Django here

    async def _write(self, heard: Mapping[UUID, datetime]) -> None:
        await self._authority.record_activity(heard)
