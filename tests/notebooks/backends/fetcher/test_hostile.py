"""Repositories and servers that mean harm, and those that are merely broken."""

import os
import socket
from pathlib import Path

import pytest

from notebooks.backends.fetcher.meanings import LOOKUP_FAILED, NAME_UNKNOWN, lookup_failed
from notebooks.backends.fetcher.outcome import Outcome
from notebooks.backends.fetcher.request import Source
from tests.git_server import GitServer, git
from tests.notebooks.backends.fetcher.conftest import Fetch


def failed(outcomes: list[Outcome]) -> str:
    """The code of the one that failed, once nothing of it was left behind."""
    [outcome] = outcomes
    assert outcome.status == "failed"
    return outcome.code


def test_one_that_is_not_there_is_told(server: GitServer, home: Path, fetch: Fetch) -> None:
    assert failed(fetch(Source(server.url("none.git"), "code"))) == "code_not_found"
    assert list(home.iterdir()) == []


def test_a_ref_that_is_not_there_is_told(server: GitServer, home: Path, fetch: Fetch) -> None:
    server.repository("refs.git")
    [outcome] = fetch(Source(server.url("refs.git"), "code", ref="nope"))
    assert outcome == Outcome(
        "failed",
        "code_no_such_ref",
        "It has no branch or tag “nope”. A commit is named by all of its 40 characters.",
    )
    assert list(home.iterdir()) == []


def test_a_commit_that_is_not_there_is_told(server: GitServer, fetch: Fetch) -> None:
    server.repository("no-commit.git")
    source = Source(server.url("no-commit.git"), "code", ref="1" * 40)
    assert failed(fetch(source)) == "code_no_such_ref"


def test_one_that_asks_who_is_there_is_told(server: GitServer, fetch: Fetch) -> None:
    server.repository("private/closed.git")
    assert failed(fetch(Source(server.url("private/closed.git"), "code"))) == "code_no_access"


def test_a_name_that_nobody_knows_is_told(fetch: Fetch) -> None:
    assert fetch(Source("https://git.invalid/a/b.git", "code")) == [
        Outcome(
            "failed",
            "code_host_unknown",
            "The host git.invalid could not be found (DNS lookup failed: no such name). Check the "
            "URL of the repository.",
        )
    ]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
            LOOKUP_FAILED.format(host="h"),
        ),
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            NAME_UNKNOWN.format(host="h"),
        ),
    ],
)
def test_an_unknown_name_is_told_from_name_servers_that_are_silent(
    error: OSError, message: str
) -> None:
    assert lookup_failed("h", error).outcome == Outcome("failed", "code_host_unknown", message)


def test_a_certificate_that_nobody_vouches_for_is_told(server: GitServer, fetch: Fetch) -> None:
    server.repository("untrusted.git")
    source = Source(server.url("untrusted.git"), "code")
    assert failed(fetch(source, ca_certificates="")) == "code_host_unknown"


def test_a_host_that_does_not_answer_is_told(fetch: Fetch) -> None:
    assert failed(fetch(Source("https://127.0.0.1:1/a.git", "code"))) == "code_host_unknown"


def test_one_that_takes_too_long_is_given_up(server: GitServer, home: Path, fetch: Fetch) -> None:
    assert failed(fetch(Source(server.url("slow/a.git"), "code"), seconds=1)) == "code_timed_out"
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "[::ffff:127.0.0.1]", "0.0.0.0"],  # noqa: S104
)
def test_addresses_of_this_machine_are_refused(host: str, server: GitServer, fetch: Fetch) -> None:
    server.asked.clear()
    source = Source(f"https://{host}:{server.port}/any.git", "code")
    assert failed(fetch(source, allowed_networks=())) == "code_refused"
    assert server.asked == []


def test_an_address_that_the_site_blocks_is_refused(server: GitServer, fetch: Fetch) -> None:
    source = Source("https://192.0.2.7/any.git", "code")
    assert failed(fetch(source, blocked_networks=("192.0.2.0/24",))) == "code_refused"


def test_a_redirect_to_this_machine_is_refused(server: GitServer, fetch: Fetch) -> None:
    server.repository("behind.git")
    server.moved = f"https://127.0.0.2:{server.port}"
    [outcome] = fetch(
        Source(server.url("moved/x/behind.git"), "code"), allowed_networks=("127.0.0.1/32",)
    )
    assert outcome.code == "code_refused"
    assert "127.0.0.2" in outcome.message


def test_a_redirect_to_another_protocol_is_refused(server: GitServer, fetch: Fetch) -> None:
    server.moved = f"http://127.0.0.1:{server.port}"
    assert failed(fetch(Source(server.url("moved/x/a.git"), "code"))) == "code_refused"


def test_a_redirect_that_is_allowed_is_followed(
    server: GitServer, home: Path, fetch: Fetch
) -> None:
    server.repository("renamed.git")
    server.moved = f"https://127.0.0.1:{server.port}"
    [outcome] = fetch(Source(server.url("moved/x/renamed.git"), "code"))
    assert outcome == Outcome("fetched")


@pytest.mark.parametrize(
    "url",
    ["file:///etc", "ext::sh -c id", "-u./payload", "http://127.0.0.1/a.git", "git://a.example/b"],
)
def test_other_ways_of_fetching_are_refused(url: str, fetch: Fetch) -> None:
    assert failed(fetch(Source(url, "code"))) == "code_refused"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc", "Repositories are fetched by https and ssh alone."),
        ("ext::sh -c 'touch {home}/owned'", "A URL of a repository has letters, digits and "),
        ("https://169.254.169.254/latest", "Code may not be fetched from 169.254.169.254."),
        ("ssh://-oProxyCommand=touch%20owned/x", "The URL names no host."),
        ("../../../../etc", "A submodule is told to be above its host."),
        ("https://user:secret@127.0.0.1/x", "A URL holds no user name or password: "),
        ("http://127.0.0.1/x", "Repositories are fetched by https and ssh alone."),
        ("git://127.0.0.1/x", "Repositories are fetched by https and ssh alone."),
        ("https://org@127.0.0.1/x", "The URL may not contain a user name before “@”. Use https:"),
        ("../none.git", "127.0.0.1 has no such repository."),
    ],
)
def test_a_submodule_from_elsewhere_is_named_and_leaves_the_rest(
    url: str, reason: str, server: GitServer, home: Path, fetch: Fetch
) -> None:
    other = f"good-{abs(hash(url))}.git"
    good = git(server.repository(other), "rev-parse", "main")
    name = f"modules-{abs(hash(url))}.git"
    modules = (
        f'[submodule "bad"]\n\tpath = bad\n\turl = "{url.format(home=home)}"\n'
        f'[submodule "good"]\n\tpath = good\n\turl = ./../{other}/\n'
    )
    files = {".gitmodules": modules, "bad": f"commit:{'1' * 40}", "good": f"commit:{good}"}
    server.repository(name, files)
    [outcome] = fetch(Source(server.url(name), "code", submodules=True))
    assert (outcome.status, outcome.code) == ("fetched", "")
    assert outcome.message.startswith(f"Submodule “bad” is left out: {reason}")
    assert "secret" not in outcome.message
    assert [path.name for path in home.iterdir()] == ["code"]
    assert list((home / "code/bad").iterdir()) == []
    assert (home / "code/good/README.md").read_text() == "Hello.\n"
    assert git(home / "code", "status", "--porcelain") == ""


@pytest.mark.parametrize("url", ["-u./payload", "--upload-pack=touch {home}/owned"])
def test_a_submodule_that_git_takes_for_an_attack_is_refused(
    url: str, server: GitServer, home: Path, fetch: Fetch
) -> None:
    name = f"attack-{abs(hash(url))}.git"
    modules = f'[submodule "lib"]\n\tpath = lib\n\turl = "{url.format(home=home)}"\n'
    server.repository(name, {".gitmodules": modules, "lib": f"commit:{'1' * 40}"})
    assert failed(fetch(Source(server.url(name), "code", submodules=True))) == "code_refused"
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    "modules",
    [
        '[submodule "../x"]\n\tpath = x\n\turl = https://example.com/x\n',
        '[submodule "x"]\n\tpath = -x\n\turl = https://example.com/x\n',
        '[submodule "x"]\n\tpath = x\n\turl = https://example.com/x\n\tupdate = !touch owned\n',
    ],
)
def test_a_declaration_of_submodules_that_attacks_is_refused(
    modules: str, server: GitServer, home: Path, fetch: Fetch
) -> None:
    name = f"declared-{abs(hash(modules))}.git"
    server.repository(name, {".gitmodules": modules})
    assert failed(fetch(Source(server.url(name), "code"))) == "code_refused"
    assert list(home.iterdir()) == []


def test_submodules_that_run_a_command_run_none(
    server: GitServer, home: Path, fetch: Fetch
) -> None:
    inner = server.repository("harmless.git")
    commit = git(inner, "rev-parse", "main")
    modules = (
        '[submodule "lib"]\n\tpath = lib\n\turl = ../harmless.git\n'
        f'\tupdate = "!touch {home}/owned"\n'
    )
    server.repository("commanding.git", {".gitmodules": modules, "lib": f"commit:{commit}"})
    fetch(Source(server.url("commanding.git"), "code", submodules=True))
    assert not (home / "owned").exists()


def test_submodules_of_submodules_without_end_are_given_up(
    server: GitServer, home: Path, fetch: Fetch
) -> None:
    commit = git(server.repository("level-0.git"), "rev-parse", "main")
    for level in range(1, 8):
        modules = f'[submodule "lib"]\n\tpath = lib\n\turl = ../level-{level - 1}.git\n'
        bare = server.repository(
            f"level-{level}.git", {".gitmodules": modules, "lib": f"commit:{commit}"}
        )
        commit = git(bare, "rev-parse", "main")
    source = Source(server.url("level-7.git"), "code", submodules=True)
    place = "/".join(["lib"] * 6)
    assert fetch(source) == [
        Outcome(
            "fetched",
            message=f"Submodule “{place}” is left out: Submodules are more than 5 deep.",
        )
    ]
    assert (home / "code/lib/lib/lib/lib/lib/.gitmodules").exists()
    assert list((home / "code" / place).iterdir()) == []


def test_links_that_lead_out_are_left_out_one_by_one(
    server: GitServer, home: Path, fetch: Fetch
) -> None:
    stay = {
        "in": "folder/file",
        "folder/up": "../t/file",
        "p/q/r": "../../t",
        "through": "p/q/r/file",
        "nowhere": "missing/file",
        "loop": "loop",
        "here": ".",
    }
    leave = {
        "absolute": "/etc/passwd",
        "above": "../../../etc/passwd",
        "folder/out": "../../x",
        "hop": "p/q/r/../../x",
        "lib-up": "lib/a/../../..",
    }
    links = {path: f"->{target}" for path, target in {**stay, **leave}.items()}
    files = {"folder/file": "file\n", "t/file": "t\n", "lib": f"commit:{'1' * 40}"}
    server.repository("links.git", {**files, **links})
    [outcome] = fetch(Source(server.url("links.git"), "code"))
    assert outcome == Outcome(
        "fetched",
        message="Links that lead out of the repository are left out: “above”, “absolute”, "
        "“folder/out” and 2 more.",
    )
    assert {path: str((home / "code" / path).readlink()) for path in stay} == stay
    assert not any(os.path.lexists(home / "code" / path) for path in leave)
    assert git(home / "code", "status", "--porcelain") == ""


def test_links_beside_the_one_folder_are_judged_too(
    server: GitServer, home: Path, fetch: Fetch
) -> None:
    files = {"a/b/c.txt": "c\n", "a/out": "->../../x", "out": "->/etc", "z/out": "->/etc"}
    server.repository("links-sparse.git", files)
    [outcome] = fetch(Source(server.url("links-sparse.git"), "code", sparse="a/b"))
    assert outcome.message == (
        "Links that lead out of the repository are left out: “out”, “a/out”."
    )
    assert sorted(path.name for path in (home / "code").rglob("*") if ".git" not in path.parts) == [
        *("a", "b", "c.txt")
    ]
    assert git(home / "code", "status", "--porcelain") == ""


def test_too_many_files_are_not_written(server: GitServer, home: Path, fetch: Fetch) -> None:
    server.repository("many.git", {f"{n}.txt": "" for n in range(30)})
    [outcome] = fetch(Source(server.url("many.git"), "code"), files=20)
    assert outcome == Outcome("failed", "code_too_large", "It has 30 files; 20 is the most.")
    assert list(home.iterdir()) == []


def test_a_bomb_of_folders_is_not_unpacked(server: GitServer, home: Path, fetch: Fetch) -> None:
    bare = server.repository("bomb.git")
    kind, entry = "blob", git(bare, "hash-object", "-w", "--stdin", given=b"x")
    for _ in range(7):
        mode = "100644" if kind == "blob" else "040000"
        listed = "".join(f"{mode} {kind} {entry}\t{n}\n" for n in range(10))
        entry, kind = git(bare, "mktree", given=listed.encode()), "tree"
    commit = git(bare, "commit-tree", entry, "-m", "bomb")
    git(bare, "update-ref", "refs/heads/main", commit)
    assert failed(fetch(Source(server.url("bomb.git"), "code"))) == "code_too_large"
    assert list(home.iterdir()) == []


def test_files_that_unpack_to_too_much_are_not_written(
    server: GitServer, home: Path, fetch: Fetch
) -> None:
    server.repository("zeros.git", {"zeros": "0" * 3_000_000})
    [outcome] = fetch(Source(server.url("zeros.git"), "code"), mib=2)
    assert outcome == Outcome("failed", "code_too_large", "It is larger than 2 MiB.")
    assert list(home.iterdir()) == []


def test_a_pack_that_is_too_large_is_not_taken(server: GitServer, home: Path, fetch: Fetch) -> None:
    noise = os.urandom(3_000_000).hex()
    server.repository("noise.git", {"noise": noise})
    assert failed(fetch(Source(server.url("noise.git"), "code"), mib=2)) == "code_too_large"
    assert list(home.iterdir()) == []


def test_a_hook_in_the_repository_is_not_run(server: GitServer, home: Path, fetch: Fetch) -> None:
    hook = f"#!/bin/sh\ntouch {home}/owned\n"
    server.repository("hooks.git", {"hooks/post-checkout": hook, "config": "[core]\n"})
    fetch(Source(server.url("hooks.git"), "code"))
    assert not (home / "owned").exists()


def test_a_path_into_git_s_own_folder_is_refused(
    server: GitServer, home: Path, fetch: Fetch
) -> None:
    bare = server.repository("dot-git.git")
    blob = git(bare, "hash-object", "-w", "--stdin", given=b"owned")
    inner = git(bare, "mktree", given=f"100644 blob {blob}\tconfig\n".encode())
    top = git(bare, "mktree", given=f"040000 tree {inner}\t.git\n".encode())
    git(bare, "update-ref", "refs/heads/main", git(bare, "commit-tree", top, "-m", "x"))
    assert failed(fetch(Source(server.url("dot-git.git"), "code"))) == "code_refused"
    assert list(home.iterdir()) == []
