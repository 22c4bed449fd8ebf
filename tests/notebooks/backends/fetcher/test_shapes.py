"""Repositories of the shapes that people have: old, shallow, with large files, half made."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from notebooks.backends.fetcher.links import leads_out
from notebooks.backends.fetcher.outcome import MAX_BYTES, Outcome, dump
from notebooks.backends.fetcher.request import Access, Source
from tests.git_server import GIT, TOKEN, USERNAME, GitServer, git
from tests.notebooks.backends.fetcher.conftest import Fetch

FETCHED = Outcome("fetched")
PERSON = "Ada <ada@example.com>"
needs_lfs = pytest.mark.skipif(
    shutil.which("git-lfs") is None and "SUBMARINE_ALL_TIERS" not in os.environ,
    reason="git-lfs is not installed",
)


def write(bare: Path, kind: str, content: bytes) -> str:
    """Write an object as it is, right or wrong; returns its id."""
    return git(bare, "hash-object", "-w", "-t", kind, "--literally", "--stdin", given=content)


def malformed_history(bare: Path) -> int:
    """Put commits, trees and a tag as old tools made them before `main`; returns how many commits
    there are.
    """
    [first, tree] = git(bare, "rev-parse", "main", "main^{tree}").splitlines()
    blob = git(bare, "rev-parse", "main:README.md")
    entry = bytes.fromhex(blob)
    trees = [
        b"0100644 a\0" + entry,
        b"100644 b\0" + entry + b"100644 a\0" + entry,
        b"100644 a\0" + entry + b"100644 a\0" + entry,
        b"100664 a\0" + entry,
        b"40000 .git\0" + bytes.fromhex(tree),
        b"160000 a\0" + bytes(20),
    ]
    people = [
        "Ada 1300000000 +0000",
        "Ada <ada@example.com> 18446744073709551614 +0000",
        "Ada <<ada@example.com> 1300000000 +0000",
        "Ada <ada@example.com> 0130000000 +0000",
        "Ada <ada@example.com> 1300000000 +051800",
        "Ada <ada@example.com>1300000000 +0000",
        "Ada<ada@example.com> 1300000000 +0000",
        "<ada@example.com> 1300000000 +0000",
        "Ada <ada@example.com> then +0000",
    ]
    commits = [(tree, person, b"old\n") for person in people]
    commits += [
        (write(bare, "tree", each), f"{PERSON} 1300000000 +0000", b"old\n") for each in trees
    ]
    commits.append((tree, f"{PERSON} 1300000000 +0000", b"old\0nul\n"))
    commits.append((tree, f"{PERSON} 1 +0000\nauthor {PERSON} 1 +0000", b"two authors\n"))
    parent = first
    for of_tree, author, message in commits:
        head = f"tree {of_tree}\nparent {parent}\nauthor {author}\ncommitter {PERSON} 1 +0000\n\n"
        parent = write(bare, "commit", head.encode() + message)
    tag = write(bare, "tag", f"object {parent}\ntype commit\ntag v0\n\nno tagger\n".encode())
    git(bare, "update-ref", "refs/tags/v0", tag)
    last = git(bare, "commit-tree", tree, "-p", parent, "-m", "new")
    git(bare, "update-ref", "refs/heads/main", last)
    return len(commits) + 2


def test_an_old_history_is_fetched_as_git_itself_fetches_it(
    server: GitServer, home: Path, tmp_path: Path, fetch: Fetch
) -> None:
    count = malformed_history(server.repository("old.git"))
    # Plain git takes all of it.
    git(tmp_path, "clone", "--quiet", str(server.folder / "old.git"), "plain")
    assert fetch(Source(server.url("old.git"), "code", depth=0)) == [FETCHED]
    assert git(home / "code", "rev-list", "--count", "HEAD") == str(count)
    assert git(home / "code", "tag") == "v0"


def test_a_shallow_clone_can_fetch_more_and_switch(
    server: GitServer, home: Path, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.repository("shallow.git")
    for n in range(3):
        server.commit("shallow.git", {"n.txt": f"{n}\n"})
    git(server.folder / "shallow.git", "branch", "other", "main~1")
    git(server.folder / "shallow.git", "tag", "v1", "main~2")
    url = server.url("shallow.git")
    fetch(Source(url, "code"), Source(url, "tagged", ref="v1"))
    authority = tmp_path / "authority.pem"
    authority.write_text(server.certificates)
    monkeypatch.setitem(GIT, "GIT_SSL_CAINFO", str(authority))
    monkeypatch.setitem(GIT, "GIT_ALLOW_PROTOCOL", "https")
    assert git(home / "code", "rev-list", "--count", "HEAD") == "1"
    for folder in ("code", "tagged"):
        git(home / folder, "fetch", "--quiet", "--unshallow")
        git(home / folder, "switch", "--quiet", "other")
        assert git(home / folder, "status", "--short", "--branch") == "## other...origin/other"
        assert git(home / folder, "rev-list", "--count", "HEAD") == "3"


def test_a_default_branch_that_is_missing_is_told_with_those_there_are(
    server: GitServer, home: Path, fetch: Fetch
) -> None:
    bare = server.repository("no-head.git")
    git(bare, "branch", "develop", "main")
    git(bare, "symbolic-ref", "HEAD", "refs/heads/master")
    assert fetch(Source(server.url("no-head.git"), "code")) == [
        Outcome(
            "failed",
            "code_no_such_ref",
            "Its default branch does not exist. Choose one of its branches: “develop”, “main”.",
        )
    ]
    assert list(home.iterdir()) == []


def test_a_commit_without_files_is_told(server: GitServer, fetch: Fetch) -> None:
    bare = server.repository("bare-commit.git")
    empty = git(bare, "commit-tree", git(bare, "mktree", given=b""), "-m", "nothing")
    git(bare, "update-ref", "refs/heads/main", empty)
    assert fetch(Source(server.url("bare-commit.git"), "code")) == [
        Outcome("fetched", message="The commit has no files.")
    ]


def test_refs_are_taken_as_git_and_pages_write_them(
    server: GitServer, home: Path, fetch: Fetch
) -> None:
    bare = server.repository("refs-of-all-kinds.git")
    first = git(bare, "rev-parse", "main")
    server.commit("refs-of-all-kinds.git", {"later.txt": "later\n"})
    git(bare, "update-ref", "refs/pull/7/head", first)
    git(bare, "tag", "v1", first)
    last = git(bare, "rev-parse", "main")
    commits = {
        "HEAD": last,
        "refs/heads/main": last,
        "refs/tags/v1": first,
        "refs/pull/7/head": first,
        first.upper(): first,
        last: last,
    }
    url = server.url("refs-of-all-kinds.git")
    sources = [Source(url, f"code-{n}", ref=ref) for n, ref in enumerate(commits)]
    assert fetch(*sources) == [FETCHED] * len(commits)
    there = [git(home / source.folder, "rev-parse", "HEAD") for source in sources]
    assert there == list(commits.values())


def test_odd_names_come_as_they_are(server: GitServer, home: Path, fetch: Fetch) -> None:
    names = [
        "README.md",
        "readme.md",
        "a:b?c*d.txt",
        "back\\slash",
        " lead",
        "trail ",
        "é",
        "e\u0301",
    ]
    bare = server.repository("a+b c.git")
    entries = b"".join(
        b"100644 blob " + git(bare, "rev-parse", "main:README.md").encode() + b"\t" + each + b"\0"
        for each in [*(name.encode() for name in names), b"caf\xe9", b"new\nline"]
    )
    tree = git(bare, "mktree", "-z", given=entries)
    git(bare, "update-ref", "refs/heads/main", git(bare, "commit-tree", tree, "-m", "names"))
    assert fetch(Source(server.url("a+b%20c.git"), "code")) == [FETCHED]
    assert git(home / "code", "status", "--porcelain") == ""
    assert len(list((home / "code").iterdir())) == len(names) + 3


def test_a_repository_of_sha_256_is_fetched(server: GitServer, home: Path, fetch: Fetch) -> None:
    bare = server.folder / "sha256.git"
    bare.mkdir()
    git(bare, "init", "--quiet", "--bare", "--object-format=sha256", "--initial-branch=main")
    (bare / "git-daemon-export-ok").touch()
    commit = server.commit("sha256.git", {"a.txt": "a\n"})
    url = server.url("sha256.git")
    assert fetch(Source(url, "code"), Source(url, "at", ref=commit.upper())) == [FETCHED] * 2
    assert [git(home / each, "rev-parse", "HEAD") for each in ("code", "at")] == [commit] * 2


def test_a_submodule_without_a_url_is_named(server: GitServer, home: Path, fetch: Fetch) -> None:
    server.repository("gitlink.git", {"a.txt": "a\n", "inner": f"commit:{'1' * 40}"})
    assert fetch(Source(server.url("gitlink.git"), "code", submodules=True)) == [
        Outcome(
            "fetched",
            message="Submodule “inner” is left out: It has no URL in “.gitmodules”.",
        )
    ]


CONTENT = b"a,b\n" * 1000
OID = hashlib.sha256(CONTENT).hexdigest()
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize {len(CONTENT)}\n"
LFS_FILES = {".gitattributes": "*.csv filter=lfs diff=lfs merge=lfs -text\n", "d/data.csv": POINTER}
LEFT = "Files of Git LFS have no content, only pointers: “d/data.csv”. "


@needs_lfs
def test_files_of_lfs_come_with_their_content(
    server: GitServer, home: Path, token: Access, fetch: Fetch
) -> None:
    server.lfs[OID] = CONTENT
    server.repository("private/lfs.git", LFS_FILES)
    server.asked.clear()
    url = server.url("private/lfs.git")
    assert fetch(Source(url, "code", needs_access=True, access=token)) == [FETCHED]
    assert (home / "code/d/data.csv").read_bytes() == CONTENT
    assert git(home / "code", "status", "--porcelain") == ""
    asked = dict(server.asked)
    assert asked["/private/lfs.git/info/lfs/objects/batch"] == f"{USERNAME}:{TOKEN}"
    assert TOKEN not in (home / "code/.git/config").read_text()


@needs_lfs
@pytest.mark.parametrize(
    ("url", "content", "reason"),
    [
        ("", None, "Its server does not have the content."),
        ("", CONTENT[:-1] + b"x", "The content is not what the repository names."),
        ("", CONTENT + b"x", "Its server sent more than it said."),
        ("http://127.0.0.1:1", CONTENT, "Its server named an address that is not one of https."),
        ("https://[x", CONTENT, "Its server named an address that is none."),
        (
            "https://169.254.169.254",
            CONTENT,
            "The network address of 169.254.169.254 is not one that code may come from.",
        ),
        (
            "https://lfs.invalid",
            CONTENT,
            "The host lfs.invalid could not be found (DNS lookup failed: no such name). Check th",
        ),
    ],
)
def test_files_of_lfs_that_cannot_be_had_are_told_and_stay_pointers(
    *,
    url: str,
    content: bytes | None,
    reason: str,
    server: GitServer,
    home: Path,
    fetch: Fetch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "lfs", {} if content is None else {OID: content})
    monkeypatch.setattr(server, "lfs_url", url)
    name = f"lfs-{abs(hash(reason))}.git"
    server.repository(name, LFS_FILES)
    [outcome] = fetch(Source(server.url(name), "code"))
    assert outcome.status == "fetched"
    assert outcome.message.startswith(LEFT + reason)
    assert (home / "code/d/data.csv").read_text() == POINTER
    assert git(home / "code", "status", "--porcelain") == ""


def test_links_are_followed_no_further_than_real_ones_go() -> None:
    chain = {f"l{n}": f"{'a/../' * 100}l{n + 1}" for n in range(60)}
    assert leads_out("l0", chain, set())
    loop = {"a": "b", "b": "a"}
    assert not leads_out("a", loop, set())
    assert leads_out("long", {"long": "a/" * 2_000_000}, set())


@needs_lfs
def test_files_of_lfs_count_towards_the_limit(server: GitServer, home: Path, fetch: Fetch) -> None:
    large = POINTER.replace(f"size {len(CONTENT)}", f"size {2**30}")
    server.repository("lfs-large.git", {**LFS_FILES, "d/data.csv": large})
    [outcome] = fetch(Source(server.url("lfs-large.git"), "code"), mib=100)
    assert outcome.message == f"{LEFT}With them it is larger than 100 MiB."


def test_without_git_lfs_pointers_are_told(
    server: GitServer, home: Path, tmp_path: Path, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in ("git", "sh"):
        found = shutil.which(program)
        assert found
        (tmp_path / program).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path))
    server.repository("lfs-less.git", LFS_FILES)
    [outcome] = fetch(Source(server.url("lfs-less.git"), "code"))
    assert outcome.message == f"{LEFT}The image has no git-lfs."
    assert (home / "code/d/data.csv").read_text() == POINTER


def test_all_outcomes_fit_into_a_termination_message() -> None:
    long = Outcome("fetched", message="“é” " * 100)
    text = dump([long] * 10)
    assert len(text) <= MAX_BYTES
    assert text.count('"status": "fetched"') == 10
    assert dump([FETCHED]) == '[{"status": "fetched", "code": "", "message": ""}]'
