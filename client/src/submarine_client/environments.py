"""Environments: what sessions run, and what is built for them."""

from __future__ import annotations

import codecs
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from submarine_client.errors import BuildFailed, NotFound, Refused
from submarine_client.models import Build, BuildLog, Environment, Profile, Version
from submarine_client.requests import Site, ask, create, pages
from submarine_client.steps import Bound, Call, Flow, Item, Items, M, Runner, Steps
from submarine_client.tail import overlap
from submarine_client.watch import TROUBLES, Watch

_LOG_SECONDS = 1.0
# UTF-32 before UTF-16: in little-endian order, its mark begins with the other. As the server's.
_MARKS: Mapping[bytes, str] = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
UNFINISHED = frozenset({"queued", "building"})


class Profiles(Bound[M]):
    """The sizes you may choose."""

    def __init__(self, runner: Runner, site: Site) -> None:
        super().__init__(runner)
        self._site = site

    @Flow
    def list(self) -> Items[Profile]:
        return pages(self._site, "profiles/", Profile.of)

    @Call
    def get(self, name: str) -> Steps[Profile]:
        return Profile.of((yield from ask(self._site, "GET", f"profiles/{name}/")))


class Environments(Bound[M]):
    """The environments of the site, and your own."""

    def __init__(self, runner: Runner, site: Site) -> None:
        super().__init__(runner)
        self._site = site

    @Flow
    def list(self, query: str = "") -> Items[Environment]:
        """Those you may choose; with a query those that have its words in a name or a package."""
        return pages(self._site, "environments/", Environment.of, [("q", query)] if query else ())

    @Call
    def get(self, name: str) -> Steps[Environment]:
        return Environment.of((yield from ask(self._site, "GET", f"environments/{name}/")))

    @Call
    def create(
        self,
        /,
        name: str,
        *,
        file: str | os.PathLike[str] | None = None,
        kernels: Sequence[Mapping[str, Any]] = (),
        **more: Any,
    ) -> Steps[Environment]:
        """Make one, of a file (`environment.yml`, `requirements.txt`, `pyproject.toml`) or of
        kernels as the service's documentation has them; `more` is what else a new one may have.
        """
        body = {"name": name, **_version(file, kernels), **more}
        return Environment.of((yield from create(self._site, "environments/", body)))

    @Call
    def add_version(
        self,
        /,
        name: str,
        *,
        file: str | os.PathLike[str] | None = None,
        kernels: Sequence[Mapping[str, Any]] = (),
        **more: Any,
    ) -> Steps[Version]:
        """Make the next version of one; as for `create`."""
        path = f"environments/{name}/versions/"
        body = {**_version(file, kernels), **more}
        return Version.of((yield from create(self._site, path, body)))

    @Flow
    def versions(self, name: str) -> Items[Version]:
        """Its versions, newest first."""
        return pages(self._site, f"environments/{name}/versions/", Version.of)

    @Call
    def version(self, name: str, number: int) -> Steps[Version]:
        path = f"environments/{name}/versions/{number}/"
        return Version.of((yield from ask(self._site, "GET", path)))

    @Call
    def update(self, /, name: str, **changes: Any) -> Steps[Environment]:
        """Change what it is called, and for whom it is."""
        said = yield from ask(self._site, "PATCH", f"environments/{name}/", body=changes)
        return Environment.of(said)

    @Call
    def delete(self, name: str) -> Steps[None]:
        """Delete one that no session has."""
        yield from ask(self._site, "DELETE", f"environments/{name}/")

    @Call
    def build(self, digest: str) -> Steps[Build]:
        """What is built of a kernel of a version."""
        return Build.of((yield from ask(self._site, "GET", f"builds/{digest}/")))

    @Call
    def retry_build(self, digest: str) -> Steps[Build]:
        """Try a build again that failed."""
        path = f"builds/{digest}/retry/"
        return Build.of((yield from ask(self._site, "POST", path, body={})))

    @Call
    def build_lock(self, digest: str) -> Steps[Any]:
        """What a build installed, exactly."""
        return (yield from ask(self._site, "GET", f"builds/{digest}/lock/"))

    @Flow
    def follow_build(self, digest: str) -> Items[str]:
        """The lines of a build's log, until it ends. Raises `BuildFailed`."""
        before: list[str] = []
        with Watch(self._site) as watch:
            while True:
                try:
                    said = yield from ask(self._site, "GET", f"builds/{digest}/log/")
                except TROUBLES as error:
                    yield watch.bear(error, _LOG_SECONDS)
                    continue
                log = BuildLog.of(said)
                lines = log.text.splitlines()
                for line in lines[overlap(before, lines) :]:
                    yield Item(line)
                before = lines
                if log.state not in UNFINISHED:
                    break
                yield watch.next(_LOG_SECONDS)
        build = Build.of((yield from ask(self._site, "GET", f"builds/{digest}/")))
        if build.state == "failed":
            raise BuildFailed(
                f"The kernel “{build.kernel}” could not be built: {build.error}",
                code=build.error_code,
            )


def _version(
    file: str | os.PathLike[str] | None, kernels: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    if file is not None:
        path = Path(file)
        if not path.is_file():
            raise NotFound(f"There is no file {path} here.", code="no_such_file")
        return {"file": {"name": path.name, "content": _text(path)}}
    return {"kernels": list(kernels)} if kernels else {}


def _text(path: Path) -> str:
    """Return the file's text: UTF-8, or what its byte order mark says."""
    content = path.read_bytes()
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        name = encoding.removesuffix("-sig").upper()
        raise Refused(f"{path} is not text in {name}.", code="invalid") from None
