"""Puts one repository into its folder: made beside it and moved there whole, or not at all.

What a repository holds is judged before git writes a file of it. A submodule is fetched like a
repository of its own, under the same rules, then given to the one that it is of.

Part of the program that fetches code: Python 3.8 or later, and its standard library.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Collection

from notebooks.backends.fetcher.addresses import Networks
from notebooks.backends.fetcher.git import Git, GitError
from notebooks.backends.fetcher.meanings import meaning
from notebooks.backends.fetcher.outcome import Failure, Outcome
from notebooks.backends.fetcher.request import Rules, Source
from notebooks.backends.fetcher.urls import BadUrl, Remote, parse

TEMPORARY = ".fetching-"
MAX_SUBMODULES = 50
DEEPEST_SUBMODULE = 5
MIB = 1024 * 1024

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MODULE = re.compile(
    r"submodule\.(?P<name>[^\n\0]+)\.(?P<key>path|url)\n(?P<value>[^\0]*)", re.DOTALL
)
_LINK, _COMMIT_OF_MODULE = "120000", "160000"


@dataclass(frozen=True)
class _Entry:
    """One file of a commit."""

    mode: str
    id: str
    size: int
    path: str


class Checkout:
    """One repository on its way into `home`."""

    def __init__(self, source: Source, home: Path, git: Git, rules: Rules) -> None:
        self._source = source
        self._home = home
        self._git = git
        self._rules = rules
        self._networks = Networks.of(allowed=rules.allowed_networks, blocked=rules.blocked_networks)
        self._beside = home
        self._submodules = 0
        self._plain_links = False

    def run(self) -> Outcome:
        """Return what came of it. Raises `Failure`."""
        target = self._home / self._source.folder
        if os.path.lexists(target):
            return Outcome("kept")
        parent = _folder(self._home, self._source.folder)
        for left in parent.glob(f"{TEMPORARY}*"):
            # Of one who was killed.
            shutil.rmtree(left, ignore_errors=True)
        self._beside = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=parent))
        try:
            self._fetch(self._source, self._beside / "code", depth=0)
            (self._beside / "code").rename(target)
        finally:
            shutil.rmtree(self._beside, ignore_errors=True)
        if self._plain_links:
            return Outcome("fetched", message="Links in it lead elsewhere: they are plain files.")
        return Outcome("fetched")

    def _fetch(self, source: Source, into: Path, *, depth: int) -> None:
        remote = self._judged(source.url)
        try:
            self._clone(source, into)
            if self._is_empty(into):
                return
            entries = self._entries(source, into)
            self._judge(entries)
            self._check_out(source, into, entries)
        except GitError as error:
            raise meaning(error, host=remote.host, ref=source.ref, mib=self._rules.mib) from error
        if self._size_of_all() > self._rules.mib * MIB:
            raise self._too_large()
        if source.submodules:
            self._fetch_submodules(source, into, entries, depth=depth + 1)

    def _judged(self, url: str) -> Remote:
        try:
            remote = parse(url)
        except BadUrl as bad:
            raise Failure("code_refused", str(bad)) from None
        if not self._networks.allow_host(remote.host):
            raise Failure("code_refused", f"Code may not be fetched from {remote.host}.")
        return remote

    def _clone(self, source: Source, into: Path) -> None:
        depth = [f"--depth={source.depth}"] if source.depth else []
        if not _COMMIT.fullmatch(source.ref):
            branch = [f"--branch={source.ref}"] if source.ref else []
            clone = ["clone", "--quiet", "--no-checkout", "--template=", *depth, *branch]
            self._git.run(into.parent, *clone, "--", source.url, str(into))
            return
        into.mkdir(exist_ok=True)
        self._git.run(into, "init", "--quiet", "--template=")
        self._git.run(into, "remote", "add", "--", "origin", source.url)
        fetch = ["fetch", "--quiet", "--no-recurse-submodules"]
        try:
            self._git.run(into, *fetch, *depth, "origin", source.ref)
        except GitError as error:
            if "unadvertised object" not in error.said:
                raise
            # A server that gives out branches and tags alone: it may be in one of them.
            self._git.run(into, *fetch, "--tags", "origin")
        self._git.run(into, "update-ref", "--no-deref", "HEAD", f"{source.ref}^{{commit}}")

    def _is_empty(self, repository: Path) -> bool:
        try:
            self._git.run(repository, "rev-parse", "--quiet", "--verify", "HEAD^{commit}")
        except GitError:
            return True
        return False

    def _entries(self, source: Source, repository: Path) -> list[_Entry]:
        within = ["--", f"{source.sparse}/"] if source.sparse else []
        listed = self._git.run(repository, "ls-tree", "-r", "-l", "-z", "HEAD", *within)
        entries = []
        for line in listed.decode("utf-8", "surrogateescape").split("\0")[:-1]:
            facts, _, path = line.partition("\t")
            mode, _, object_id, size = facts.split()
            entries.append(_Entry(mode, object_id, int(size) if size.isdigit() else 0, path))
        if source.sparse and not entries:
            raise Failure("code_not_found", f"It has no folder “{source.sparse}”.")
        return entries

    def _judge(self, entries: list[_Entry]) -> None:
        if len(entries) > self._rules.files:
            raise Failure(
                "code_too_large",
                f"It has {len(entries)} files; {self._rules.files} is the most.",
            )
        if sum(entry.size for entry in entries) > self._rules.mib * MIB:
            raise self._too_large()

    def _check_out(self, source: Source, repository: Path, entries: list[_Entry]) -> None:
        if self._leads_out(repository, entries):
            self._plain_links = True
            self._git.run(repository, "config", "core.symlinks", "false")
        if source.sparse:
            sparse = ["sparse-checkout", "set", "--cone", "--", source.sparse]
            self._git.run(repository, *sparse)
        self._git.run(repository, "reset", "--quiet", "--hard", "--no-recurse-submodules")

    def _leads_out(self, repository: Path, entries: list[_Entry]) -> bool:
        """Whether a link may lead out of the repository."""
        links = [entry for entry in entries if entry.mode == _LINK]
        if not links:
            return False
        asked = "".join(f"{link.id}\n" for link in links).encode()
        answer = self._git.run(repository, "cat-file", "--batch", given=asked)
        targets, at = {}, 0
        for link in links:
            begin = answer.index(b"\n", at) + 1
            targets[link.path] = os.fsdecode(answer[begin : begin + link.size])
            at = begin + link.size + 1
        return any(_leaves(path, target, targets.keys()) for path, target in targets.items())

    def _fetch_submodules(
        self, source: Source, repository: Path, entries: list[_Entry], *, depth: int
    ) -> None:
        commits = {entry.path: entry.id for entry in entries if entry.mode == _COMMIT_OF_MODULE}
        if not commits:
            return
        if depth > DEEPEST_SUBMODULE:
            raise Failure("code_refused", f"Its submodules are more than {depth - 1} deep.")
        for path, url in self._modules(repository).items():
            if path not in commits:
                continue
            self._submodules += 1
            if self._submodules > MAX_SUBMODULES:
                raise Failure("code_too_large", f"It has more than {MAX_SUBMODULES} submodules.")
            module = replace(source, url=_resolved(url, source.url), ref=commits[path], sparse="")
            self._fetch(module, _folder(repository, f"{path}/x"), depth=depth)
            try:
                self._git.run(repository, "submodule", "--quiet", "init", "--", path)
                self._git.run(repository, "submodule", "--quiet", "absorbgitdirs", "--", path)
            except GitError as error:
                raise meaning(error, host=path, ref="", mib=self._rules.mib) from error

    def _modules(self, repository: Path) -> dict[str, str]:
        """The URL of each submodule by its path, as the commit has them."""
        read = ["config", "--blob=HEAD:.gitmodules", "-z", "--get-regexp", r"^submodule\."]
        try:
            listed = self._git.run(repository, *read).decode("utf-8", "replace")
        except GitError:
            # None is declared, or nothing that can be read.
            return {}
        modules: dict[str, dict[str, str]] = {}
        for line in listed.split("\0"):
            if found := _MODULE.fullmatch(line):
                modules.setdefault(found["name"], {})[found["key"]] = found["value"]
        return {each["path"]: each["url"] for each in modules.values() if len(each) == 2}  # noqa: PLR2004 - both

    def _size_of_all(self) -> int:
        """What it has on disk so far, with its submodules."""
        return sum(
            os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - for its speed
            for parent, _, names in os.walk(self._beside)
            for name in names
        )

    def _too_large(self) -> Failure:
        return Failure("code_too_large", f"It is larger than {self._rules.mib} MiB.")


def _folder(top: Path, path: str) -> Path:
    """The folder below `top` that is to hold `path`, made where it is missing, through no link."""
    folder = top
    for part in path.split("/")[:-1]:
        folder = folder / part
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise Failure("code_refused", f"“{part}” is in the way: it is no folder.")
        folder.mkdir(exist_ok=True)
    return folder


def _leaves(path: str, target: str, links: Collection[str]) -> bool:
    """Whether a link may lead out. One that leads through another is taken for such: where that
    ends cannot be told from the words alone.
    """
    if target.startswith("/"):
        return True
    at = path.split("/")[:-1]
    steps = target.split("/")
    for n, step in enumerate(steps):
        if step == "..":
            if not at:
                return True
            at.pop()
        elif step not in {"", "."}:
            at.append(step)
            if n < len(steps) - 1 and "/".join(at) in links:
                return True
    return False


def _resolved(url: str, base: str) -> str:
    """A submodule's URL may be told from that of its repository on."""
    if not url.startswith(("./", "../")):
        return url
    host, separator, path = base.partition("://") if "://" in base else base.partition(":")
    folders = path.strip("/").split("/")
    least = 1 if separator == "://" else 0
    while url.startswith(("./", "../")):
        step, _, url = url.partition("/")
        if step == "..":
            if len(folders) <= least:
                raise Failure("code_refused", "A submodule is told to be above its host.")
            folders.pop()
    return f"{host}{separator}{'/'.join([*folders, url])}"
