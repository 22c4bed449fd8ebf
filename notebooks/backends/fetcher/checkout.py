"""Puts one repository into its folder: made beside it and moved there whole, or not at all.

What a repository holds is judged before git writes a file of it. A submodule is fetched like a
repository of its own, under the same rules, then given to the one that it is of. A submodule that
cannot be fetched and a link that leads out are left out; the message names them.

Part of the program that fetches code: Python 3.8 or later, and its standard library.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Iterable

from notebooks.backends.fetcher import lfs
from notebooks.backends.fetcher.addresses import Networks
from notebooks.backends.fetcher.git import Git, GitError
from notebooks.backends.fetcher.lfs import LARGEST_POINTER, Connections, LfsError, Pointer
from notebooks.backends.fetcher.links import leads_out
from notebooks.backends.fetcher.meanings import meaning
from notebooks.backends.fetcher.outcome import MAX_MESSAGE, Failure, Outcome
from notebooks.backends.fetcher.request import Rules, Source
from notebooks.backends.fetcher.urls import BadUrl, Remote, parse

TEMPORARY = ".fetching-"
MAX_SUBMODULES = 50
DEEPEST_SUBMODULE = 5
MIB = 1024 * 1024

ALL_BRANCHES = "+refs/heads/*:refs/remotes/origin/*"
MAX_NAMES = 3
"""How many of what was left out, or of what there is to choose from, a message names."""
MAX_NAME = 60

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.IGNORECASE)
_MODULE = re.compile(
    r"submodule\.(?P<name>[^\n\0]+)\.(?P<key>path|url)\n(?P<value>[^\0]*)", re.DOTALL
)
_LINK, _COMMIT_OF_MODULE = "120000", "160000"
_FILES = {"100644", "100755", _LINK}


@dataclass(frozen=True)
class _Entry:
    """One file of a commit."""

    mode: str
    id: str
    size: int
    path: str


class Checkout:
    """One repository on its way into `home`."""

    def __init__(
        self,
        source: Source,
        home: Path,
        git: Git,
        rules: Rules,
        *,
        trouble: Callable[[], Failure | None],
        connections: Connections,
    ) -> None:
        """`trouble` returns why the last connection failed, where that is known."""
        self._source = replace(source, ref=_normal_ref(source.ref))
        self._home = home
        self._git = git
        self._rules = rules
        self._networks = Networks.of(allowed=rules.allowed_networks, blocked=rules.blocked_networks)
        self._beside = home
        self._submodules = 0
        self._trouble = trouble
        self._connections = connections
        self._notes: list[str] = []

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
        return Outcome("fetched", message=" ".join(self._notes)[:MAX_MESSAGE])

    def _fetch(self, source: Source, into: Path, *, depth: int) -> None:
        remote = self._judged(source.url)
        try:
            self._clone(source, into)
            if self._is_empty(into):
                self._judge_empty(into)
                return
            entries = self._entries(source, into)
            self._judge(entries)
            self._check_out(source, into, entries)
            self._fetch_lfs(source, into, entries)
        except GitError as error:
            told = meaning(error, host=remote.host, ref=source.ref, mib=self._rules.mib)
            raise self._trouble() or told from error
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
        if _COMMIT.fullmatch(source.ref) or source.ref.startswith("refs/"):
            self._clone_at(source, into, depth)
            return
        branch = [f"--branch={source.ref}"] if source.ref else []
        clone = ["clone", "--quiet", "--no-checkout", "--template=", *depth, *branch]
        self._git.run(into.parent, *clone, "--", source.url, str(into))
        # A shallow clone would know its own branch only, and fetch no other.
        self._git.run(into, "config", "remote.origin.fetch", ALL_BRANCHES)

    def _clone_at(self, source: Source, into: Path, depth: list[str]) -> None:
        """Fetch a commit, or a ref that is neither a branch nor a tag."""
        into.mkdir(exist_ok=True)
        kind = ["--object-format=sha256"] if _is_sha256(source.ref) else []
        self._git.run(into, "init", "--quiet", "--template=", *kind)
        self._git.run(into, "remote", "add", "--", "origin", source.url)
        fetch = ["fetch", "--quiet", "--no-recurse-submodules"]
        commit = "FETCH_HEAD" if source.ref.startswith("refs/") else source.ref
        try:
            self._git.run(into, *fetch, *depth, "origin", source.ref)
        except GitError as error:
            if "unadvertised object" not in error.said:
                raise
            # A server that gives out branches and tags alone: it may be in one of them.
            self._git.run(into, *fetch, "--tags", "origin")
        self._git.run(into, "update-ref", "--no-deref", "HEAD", f"{commit}^{{commit}}")

    def _is_empty(self, repository: Path) -> bool:
        try:
            self._git.run(repository, "rev-parse", "--quiet", "--verify", "HEAD^{commit}")
        except GitError:
            return True
        return False

    def _judge_empty(self, repository: Path) -> None:
        """Say why nothing is there: the repository is empty, or its default branch is missing."""
        listed = self._git.run(repository, "ls-remote", "--heads", "origin")
        lines = listed.decode("utf-8", "replace").splitlines()
        branches = [line.partition("\trefs/heads/")[2] for line in lines]
        if branches:
            raise Failure(
                "code_no_such_ref",
                "Its default branch does not exist. Choose one of its branches: "
                f"{_named(branches)}.",
            )
        self._notes.append("The repository is empty.")

    def _entries(self, source: Source, repository: Path) -> list[_Entry]:
        """The files that will be checked out, and the submodules among them."""
        if not source.sparse:
            return self._listed(repository, "-r")
        entries = self._listed(repository, "-r", "--", f"{source.sparse}/")
        if not entries:
            raise Failure("code_not_found", f"It has no folder “{source.sparse}”.")
        # git checks the files of the folders above out as well.
        above = source.sparse.split("/")[:-1]
        for depth in range(len(above) + 1):
            within = ["--", "/".join(above[:depth]) + "/"] if depth else []
            listed = self._listed(repository, *within)
            entries += [each for each in listed if each.mode in _FILES]
        return entries

    def _listed(self, repository: Path, *which: str) -> list[_Entry]:
        listed = self._git.run(repository, "ls-tree", "-l", "-z", "HEAD", *which)
        entries = []
        for line in listed.decode("utf-8", "surrogateescape").split("\0")[:-1]:
            facts, _, path = line.partition("\t")
            mode, _, object_id, size = facts.split()
            entries.append(_Entry(mode, object_id, int(size) if size.isdigit() else 0, path))
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
        if source.sparse:
            sparse = ["sparse-checkout", "set", "--cone", "--", source.sparse]
            self._git.run(repository, *sparse)
        self._git.run(repository, "reset", "--quiet", "--hard", "--no-recurse-submodules")
        if not entries:
            self._notes.append("The commit has no files.")
        if outside := self._links_out(repository, entries):
            for path in outside:
                (repository / path).unlink(missing_ok=True)
            # So that git does not take them for deleted.
            skip = ["update-index", "--skip-worktree", "-z", "--stdin"]
            listed = b"".join(os.fsencode(path) + b"\0" for path in outside)
            self._git.run(repository, *skip, given=listed)
            self._notes.append(
                f"Links that lead out of the repository are left out: {_named(outside)}."
            )

    def _links_out(self, repository: Path, entries: list[_Entry]) -> list[str]:
        links = [entry for entry in entries if entry.mode == _LINK]
        contents = self._contents(repository, links)
        targets = {path: os.fsdecode(target) for path, target in contents.items()}
        submodules = {entry.path for entry in entries if entry.mode == _COMMIT_OF_MODULE}
        return [path for path in targets if leads_out(path, targets, submodules)]

    def _contents(self, repository: Path, entries: list[_Entry]) -> dict[str, bytes]:
        """Return what is in these files, by their paths."""
        if not entries:
            return {}
        asked = "".join(f"{entry.id}\n" for entry in entries).encode()
        answer = self._git.run(repository, "cat-file", "--batch", given=asked)
        contents, at = {}, 0
        for entry in entries:
            begin = answer.index(b"\n", at) + 1
            contents[entry.path] = answer[begin : begin + entry.size]
            at = begin + entry.size + 1
        return contents

    def _fetch_lfs(self, source: Source, repository: Path, entries: list[_Entry]) -> None:
        """Put the content of LFS files in the place of their pointers, or say why they stay."""
        pointers = self._pointers(repository, entries)
        if not pointers:
            return
        try:
            self._replace_pointers(source, repository, pointers)
        except (LfsError, TimeoutError) as error:
            trouble = self._trouble()
            reason = f"{error}." if isinstance(error, LfsError) else "it took too long."
            if trouble is not None:
                reason = trouble.outcome.message
            self._notes.append(
                f"Files of Git LFS have no content, only pointers: {_named(pointers)}. "
                f"{reason[:1].upper()}{reason[1:]}"
            )

    def _pointers(self, repository: Path, entries: list[_Entry]) -> dict[str, Pointer]:
        """Return the pointers by their paths."""
        listed = self._git.run(repository, "ls-files", "-z", "--", ":(attr:filter=lfs)")
        paths = set(listed.decode("utf-8", "surrogateescape").split("\0")[:-1])
        small = [
            entry
            for entry in entries
            if entry.path in paths and entry.mode != _LINK and entry.size <= LARGEST_POINTER
        ]
        contents = self._contents(repository, small)
        pointers = {path: Pointer.read(content) for path, content in contents.items()}
        return {path: pointer for path, pointer in pointers.items() if pointer is not None}

    def _replace_pointers(
        self, source: Source, repository: Path, pointers: dict[str, Pointer]
    ) -> None:
        if not self._has_lfs(repository):
            raise LfsError("the image has no git-lfs")
        if not source.url.startswith("https://"):
            raise LfsError("they are fetched by https alone; use “git lfs pull” in the session")
        unique = set(pointers.values())
        # Once in its store, once in its place.
        if self._size_of_all() + 2 * sum(each.size for each in unique) > self._rules.mib * MIB:
            raise LfsError(f"with them it is larger than {self._rules.mib} MiB")
        store = repository / ".git/lfs/objects"
        lfs.fetch(
            sorted(unique, key=lambda each: each.oid),
            store,
            url=source.url,
            access=source.access,
            connections=self._connections,
        )
        for name, value in lfs.SETTINGS.items():
            self._git.run(repository, "config", name, value)
        for path, pointer in pointers.items():
            place = repository / path
            # Its mode stays.
            shutil.copyfile(pointer.path(store), place)
        # By name: of a file whose size has changed, a refresh alone does not ask the filter.
        listed = b"".join(os.fsencode(path) + b"\0" for path in pointers)
        self._git.run(repository, "update-index", "-q", "-z", "--stdin", given=listed)

    def _has_lfs(self, repository: Path) -> bool:
        try:
            self._git.run(repository, "lfs", "version")
        except GitError:
            return False
        return True

    def _fetch_submodules(
        self, source: Source, repository: Path, entries: list[_Entry], *, depth: int
    ) -> None:
        commits = {entry.path: entry.id for entry in entries if entry.mode == _COMMIT_OF_MODULE}
        urls = self._modules(repository) if commits else {}
        for path, commit in commits.items():
            module = replace(source, url=urls.get(path, ""), ref=commit, sparse="")
            try:
                self._fetch_submodule(source, module, repository, path, depth=depth)
            except Failure as failure:
                reason = failure.outcome.message
            except TimeoutError:
                reason = "It took too long."
            else:
                continue
            place = repository / path
            shutil.rmtree(place, ignore_errors=True)
            # As git leaves one that was never fetched.
            with suppress(OSError):
                place.mkdir()
            name = place.relative_to(self._beside / "code").as_posix()
            self._notes.append(f"Submodule “{_shown(name)}” is left out: {reason}")

    def _fetch_submodule(
        self, source: Source, module: Source, repository: Path, path: str, *, depth: int
    ) -> None:
        if not module.url:
            raise Failure("code_not_found", "It has no URL in “.gitmodules”.")
        if depth > DEEPEST_SUBMODULE:
            raise Failure("code_refused", f"Submodules are more than {DEEPEST_SUBMODULE} deep.")
        self._submodules += 1
        if self._submodules > MAX_SUBMODULES:
            raise Failure("code_too_large", f"There are more than {MAX_SUBMODULES} submodules.")
        module = replace(module, url=_resolved(module.url, source.url))
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


def _normal_ref(ref: str) -> str:
    """Return the ref as `git clone --branch` takes it; of the default branch, none."""
    if ref in {"HEAD", "@"}:
        return ""
    if _COMMIT.fullmatch(ref):
        return ref.lower()
    for prefix in ("refs/heads/", "refs/tags/"):
        if ref.startswith(prefix):
            return ref[len(prefix) :]
    return ref


def _is_sha256(ref: str) -> bool:
    return bool(re.fullmatch(r"[0-9a-f]{64}", ref))


def _named(names: Iterable[str]) -> str:
    """Return the first of the names, and how many more there are."""
    listed = list(names)
    told = ", ".join(f"“{_shown(name)}”" for name in listed[:MAX_NAMES])
    more = len(listed) - MAX_NAMES
    return f"{told} and {more} more" if more > 0 else told


def _shown(name: str) -> str:
    printable = "".join(char if char.isprintable() else "�" for char in name)
    return printable if len(printable) <= MAX_NAME else f"{printable[:MAX_NAME]}…"


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
