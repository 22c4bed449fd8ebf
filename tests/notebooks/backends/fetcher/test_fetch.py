"""Repositories of a real server, fetched as users ask for it."""

from pathlib import Path

from notebooks.backends.fetcher.outcome import Outcome
from notebooks.backends.fetcher.request import Access, Source
from tests.git_server import TOKEN, USERNAME, GitServer, git
from tests.notebooks.backends.fetcher.conftest import Fetch

FETCHED = Outcome("fetched")
KEPT = Outcome("kept")


def test_the_default_branch_is_there_with_its_remote(
    server: GitServer, home: Path, fetch: Fetch
) -> None:
    server.repository("plain.git", {"a/notes.txt": "one\n"})
    url = server.url("plain.git")
    assert fetch(Source(url, "work/plain")) == [FETCHED]
    there = home / "work/plain"
    assert (there / "a/notes.txt").read_text() == "one\n"
    assert git(there, "status", "--porcelain", "--branch") == "## main...origin/main"
    assert git(there, "remote", "get-url", "origin") == url


def test_nothing_of_how_it_was_fetched_stays_in_the_home(
    server: GitServer, home: Path, fetch: Fetch
) -> None:
    server.repository("traces.git")
    fetch(Source(server.url("traces.git"), "code"))
    assert [path.name for path in home.iterdir()] == ["code"]
    kept = (home / "code/.git/config").read_text()
    assert not any(word in kept for word in ("proxy", "credential", "hooksPath", "sslCAInfo"))


def test_a_branch_is_checked_out_by_its_name(server: GitServer, home: Path, fetch: Fetch) -> None:
    server.repository("branches.git")
    server.commit("branches.git", {"new.txt": "new\n"}, "feature/x")
    assert fetch(Source(server.url("branches.git"), "code", ref="feature/x")) == [FETCHED]
    assert git(home / "code", "branch", "--show-current") == "feature/x"


def test_a_tag_is_checked_out(server: GitServer, home: Path, fetch: Fetch) -> None:
    bare = server.repository("tags.git")
    git(bare, "tag", "v1")
    server.commit("tags.git", {"later.txt": "later\n"})
    assert fetch(Source(server.url("tags.git"), "code", ref="v1")) == [FETCHED]
    assert not (home / "code/later.txt").exists()


def test_a_commit_is_checked_out_that_is_no_branch_any_more(
    server: GitServer, home: Path, fetch: Fetch
) -> None:
    server.repository("commits.git")
    first = server.commit("commits.git", {"first.txt": "first\n"})
    server.commit("commits.git", {"second.txt": "second\n"})
    assert fetch(Source(server.url("commits.git"), "code", ref=first)) == [FETCHED]
    assert git(home / "code", "rev-parse", "HEAD") == first
    assert not (home / "code/second.txt").exists()


def test_history_is_as_deep_as_asked(server: GitServer, home: Path, fetch: Fetch) -> None:
    server.repository("deep.git")
    for n in range(3):
        server.commit("deep.git", {"n.txt": f"{n}\n"})
    url = server.url("deep.git")
    fetch(Source(url, "one"), Source(url, "two", depth=2), Source(url, "all", depth=0))
    counted = {each: git(home / each, "rev-list", "--count", "HEAD") for each in ("one", "two")}
    assert counted == {"one": "1", "two": "2"}
    assert git(home / "all", "rev-list", "--count", "HEAD") == "4"


def test_one_folder_of_it_is_enough(server: GitServer, home: Path, fetch: Fetch) -> None:
    server.repository("sparse.git", {"docs/a/b.txt": "b\n", "data/big.txt": "big\n"})
    assert fetch(Source(server.url("sparse.git"), "code", sparse="docs/a")) == [FETCHED]
    assert (home / "code/docs/a/b.txt").exists()
    assert not (home / "code/data").exists()


def test_a_folder_that_it_does_not_have_is_told(server: GitServer, fetch: Fetch) -> None:
    server.repository("no-such-folder.git")
    [outcome] = fetch(Source(server.url("no-such-folder.git"), "code", sparse="docs"))
    assert outcome == Outcome("failed", "code_not_found", "It has no folder “docs”.")


def test_submodules_come_along(server: GitServer, home: Path, fetch: Fetch) -> None:
    server.repository("inner.git", {"inner.txt": "inner\n"})
    inner = server.commit("inner.git", {"more.txt": "more\n"})
    server.commit("inner.git", {"even-more.txt": "not this\n"})
    modules = '[submodule "lib"]\n\tpath = lib/inner\n\turl = ../inner.git\n'
    server.repository("outer.git", {".gitmodules": modules, "lib/inner": f"commit:{inner}"})
    assert fetch(Source(server.url("outer.git"), "code", submodules=True)) == [FETCHED]
    assert (home / "code/lib/inner/more.txt").exists()
    assert not (home / "code/lib/inner/even-more.txt").exists()
    assert git(home / "code", "status", "--porcelain") == ""
    assert git(home / "code", "submodule", "status").startswith(inner)


def test_submodules_stay_away_unless_asked_for(server: GitServer, home: Path, fetch: Fetch) -> None:
    commit = "1" * 40
    modules = '[submodule "lib"]\n\tpath = lib\n\turl = ../none.git\n'
    server.repository("alone.git", {".gitmodules": modules, "lib": f"commit:{commit}"})
    assert fetch(Source(server.url("alone.git"), "code")) == [FETCHED]
    assert list((home / "code/lib").iterdir()) == []


def test_an_empty_repository_is_one(server: GitServer, home: Path, fetch: Fetch) -> None:
    bare = server.folder / "empty.git"
    bare.mkdir()
    git(bare, "init", "--quiet", "--bare", "--initial-branch=main")
    (bare / "git-daemon-export-ok").touch()
    assert fetch(Source(server.url("empty.git"), "code")) == [
        Outcome("fetched", message="The repository is empty.")
    ]
    assert (home / "code/.git").is_dir()


def test_what_the_user_changed_is_left_as_it_is(
    server: GitServer, home: Path, fetch: Fetch
) -> None:
    server.repository("kept.git", {"notes.txt": "one\n"})
    source = Source(server.url("kept.git"), "code")
    fetch(source)
    (home / "code/notes.txt").write_text("changed\n")
    server.commit("kept.git", {"notes.txt": "two\n"})
    assert fetch(source) == [KEPT]
    assert (home / "code/notes.txt").read_text() == "changed\n"


def test_a_file_of_that_name_is_left_as_it_is(server: GitServer, home: Path, fetch: Fetch) -> None:
    (home / "code").write_text("mine")
    assert fetch(Source(server.url("any.git"), "code")) == [KEPT]
    assert (home / "code").read_text() == "mine"


def test_a_link_to_nowhere_counts_as_there(server: GitServer, home: Path, fetch: Fetch) -> None:
    (home / "code").symlink_to("/nonexistent/there")
    assert fetch(Source(server.url("any.git"), "code")) == [KEPT]


def test_no_folder_is_made_through_a_link(
    server: GitServer, home: Path, tmp_path: Path, fetch: Fetch
) -> None:
    server.repository("through.git")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (home / "work").symlink_to(elsewhere)
    [outcome] = fetch(Source(server.url("through.git"), "work/code"))
    assert outcome.code == "code_refused"
    assert list(elsewhere.iterdir()) == []


def test_what_a_killed_one_left_is_removed(server: GitServer, home: Path, fetch: Fetch) -> None:
    server.repository("again.git")
    (home / ".fetching-abc/code").mkdir(parents=True)
    assert fetch(Source(server.url("again.git"), "code")) == [FETCHED]
    assert [path.name for path in home.iterdir()] == ["code"]


def test_one_that_fails_keeps_no_other_from_coming(
    server: GitServer, home: Path, fetch: Fetch
) -> None:
    server.repository("good.git")
    outcomes = fetch(
        Source(server.url("missing.git"), "bad"), Source(server.url("good.git"), "good")
    )
    assert [outcome.status for outcome in outcomes] == ["failed", "fetched"]
    assert [path.name for path in home.iterdir()] == ["good"]


def test_a_private_one_comes_with_its_credential(
    server: GitServer, home: Path, token: Access, fetch: Fetch
) -> None:
    server.repository("private/a.git")
    source = Source(server.url("private/a.git"), "code", needs_access=True, access=token)
    assert fetch(source) == [FETCHED]
    assert TOKEN not in (home / "code/.git/config").read_text()


def test_a_credential_is_given_to_its_own_hosts_alone(server: GitServer, fetch: Fetch) -> None:
    server.repository("private/b.git")
    elsewhere = Access(hosts=("git.example.com:443",), username=USERNAME, token=TOKEN)
    server.asked.clear()
    [outcome] = fetch(Source(server.url("private/b.git"), "code", access=elsewhere))
    assert outcome.code == "code_no_access"
    assert {given for _, given in server.asked} == {""}


def test_a_redirect_takes_no_credential_along(
    server: GitServer, token: Access, fetch: Fetch
) -> None:
    server.repository("private/c.git")
    server.moved = f"https://localhost:{server.port}/private"
    server.asked.clear()
    [outcome] = fetch(Source(server.url("moved/x/c.git"), "code", access=token))
    assert outcome.code == "code_no_access"
    assert {given for path, given in server.asked if path.startswith("/private")} == {""}


def test_a_credential_that_is_gone_is_told(server: GitServer, fetch: Fetch) -> None:
    [outcome] = fetch(Source(server.url("private/d.git"), "code", needs_access=True))
    assert outcome == Outcome(
        "failed", "code_no_access", "The git credential chosen for it is gone or cannot be read."
    )
