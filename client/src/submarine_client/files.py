"""The files of a session's home, by Jupyter's contents API: in parts, so that any size will do."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Callable

from submarine_client.errors import NotFound, Unreachable
from submarine_client.jupyter import Jupyter, quoted
from submarine_client.requests import Site, persist, read
from submarine_client.steps import Bound, Call, M, Runner, Steps
from submarine_client.transport import Download, Pause, Reply, Request

PART = 4 * 2**20
_RESUMES = 5
_RESUME_SECONDS = 0.5

OnProgress = Callable[[str, int], None]
"""Told of a path, and how many bytes more of it have been copied."""


class Files(Bound[M]):
    """The home of a running session. Paths are below it."""

    def __init__(self, runner: Runner, site: Site, session_id: str) -> None:
        super().__init__(runner)
        self._jupyter = Jupyter(site, session_id)

    @Call
    def list(self, path: str = "") -> Steps[Sequence[Mapping[str, Any]]]:
        """What is in a folder, as Jupyter describes it: `name`, `path`, `type`, `size` and more."""
        entries: Sequence[Mapping[str, Any]] = yield from self._entries(path)
        return entries

    @Call
    def upload(
        self, source: str | os.PathLike[str], to: str, *, on_progress: OnProgress | None = None
    ) -> Steps[None]:
        """Copy a file, or a folder with all that is in it, to the path `to`; the
        folders above it are made.
        """
        path = Path(source)
        if not path.exists():
            raise NotFound(f"There is no {path} here.", code="no_such_file")
        target = to.strip("/")
        for folder in reversed(list(PurePosixPath(target).parents)[:-1]):
            yield from self._make_folder(str(folder))
        yield from self._upload(path, target, on_progress or _quietly)

    @Call
    def download(
        self, source: str, to: str | os.PathLike[str], *, on_progress: OnProgress | None = None
    ) -> Steps[None]:
        """Copy a file, or a folder with all that is in it, to the path `to` of this computer."""
        yield from self._download(source.strip("/"), Path(to), on_progress or _quietly)

    @Call
    def is_folder(self, path: str) -> Steps[bool]:
        """Whether there is a folder at the path."""
        try:
            return bool((yield from self._about(path))["type"] == "directory")
        except NotFound:
            return False

    def _about(self, path: str) -> Steps[Any]:
        return (
            yield from self._jupyter.ask(
                "GET", f"api/contents/{quoted(path)}", params={"content": "0"}
            )
        )

    def _entries(self, path: str) -> Steps[Any]:
        said = yield from self._jupyter.ask(
            "GET", f"api/contents/{quoted(path)}", params={"content": "1", "type": "directory"}
        )
        return said["content"]

    def _upload(self, source: Path, to: str, progress: OnProgress) -> Steps[None]:
        if source.is_dir():
            yield from self._make_folder(to)
            for each in sorted(source.iterdir()):
                yield from self._upload(each, f"{to}/{each.name}".strip("/"), progress)
            return
        with source.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            number, done = 1, 0
            while True:
                block = file.read(PART)
                done += len(block)
                is_last = done >= size or not block
                # One part alone is written as a whole; of several, the last has its own number.
                chunk = None if number == 1 and is_last else -1 if is_last else number
                yield from self._put(to, block, chunk, after=done)
                progress(to, len(block))
                if is_last:
                    return
                number += 1

    def _put(self, to: str, block: bytes, chunk: int | None, *, after: int) -> Steps[None]:
        body: dict[str, Any] = {
            "type": "file",
            "format": "base64",
            "content": base64.b64encode(block).decode(),
        }
        if chunk is not None:
            body["chunk"] = chunk
        for left in range(_RESUMES, -1, -1):
            try:
                # Sent twice, a part that is appended would be there twice.
                yield from self._jupyter.ask(
                    "PUT", f"api/contents/{quoted(to)}", body=body, repeatable=chunk in (None, 1)
                )
            except Unreachable:
                if not left:
                    raise
                if (yield from self._about(to)).get("size") == after:
                    return
            else:
                return

    def _make_folder(self, path: str) -> Steps[None]:
        if path:
            yield from self._jupyter.ask(
                "PUT", f"api/contents/{quoted(path)}", body={"type": "directory"}
            )

    def _download(self, source: str, to: Path, progress: OnProgress) -> Steps[None]:
        about = yield from self._about(source)
        if about["type"] == "directory":
            to.mkdir(parents=True, exist_ok=True)
            for each in (yield from self._entries(source)):
                name = PurePosixPath(each["path"]).name
                yield from self._download(each["path"].strip("/"), to / name, progress)
            return
        # Under another name until it is whole.
        part = to.with_name(f".{to.name}.part")
        try:
            with part.open("wb") as file:
                yield from self._fetch(source, file, lambda count: progress(source, count))
            part.replace(to)
        finally:
            part.unlink(missing_ok=True)

    def _fetch(self, source: str, into: BinaryIO, progress: Callable[[int], None]) -> Steps[None]:
        """Fetch a file; when the connection is cut, go on where it was."""
        request = Request("GET", (yield from self._jupyter.base()) + f"files/{quoted(source)}")
        seen: dict[str, str] = {}
        for left in range(_RESUMES, -1, -1):
            start = into.tell()
            headers = {**self._jupyter.site.credentials(), "Accept-Encoding": "identity"}
            if start and "etag" in seen:
                headers.update({"Range": f"bytes={start}-", "If-Range": seen["etag"]})
            request = replace(request, headers=headers)
            try:
                reply: Reply = yield from persist(
                    request,
                    Download(request, into, seen),
                    retries=self._jupyter.site.retries,
                    # Rather from where it was cut.
                    repeatable=False,
                )
            except Unreachable:
                progress(into.tell() - start)
                if not left:
                    raise
                yield Pause(_RESUME_SECONDS)
                continue
            if reply.status in (502, 503, 504) and left:
                yield Pause(_RESUME_SECONDS)
                continue
            if reply.status >= 300:
                read(reply, request.url, of_jupyter=True)
            progress(into.tell() - start)
            return


def _quietly(_: str, __: int) -> None:
    return
