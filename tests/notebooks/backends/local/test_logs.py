"""Logs: the last lines, in bounds, whatever was written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from notebooks.backends.local.logs import LIMIT, tail
from tests.contracts.eventually import eventually
from tests.notebooks.backends.local.conftest import LocalSite


@pytest.mark.parametrize(
    ("written", "lines", "expected"),
    [
        (b"", 5, ""),
        (b"one\ntwo\n", 0, ""),
        (b"one\ntwo\n", 1, "two\n"),
        (b"one\ntwo\n", 5, "one\ntwo\n"),
        (b"one\ntwo, unfinished", 1, "two, unfinished"),
        (b"one\n\n\n", 2, "\n\n"),
        (b"caf\xe9\n", 1, "caf\ufffd\n"),
    ],
)
def test_the_last_lines_are_given_as_they_are(
    tmp_path: Path, written: bytes, lines: int, expected: str
) -> None:
    (tmp_path / "server.log").write_bytes(written)
    assert tail(tmp_path, lines) == expected


def test_lines_are_taken_from_the_older_log_where_the_new_one_is_short(tmp_path: Path) -> None:
    (tmp_path / "server.log.1").write_text("one\ntwo\nthree\n")
    (tmp_path / "server.log").write_text("four\nfive\n")
    assert tail(tmp_path, 4) == "two\nthree\nfour\nfive\n"


def test_a_log_that_was_just_rotated_away_is_read_from_the_older_one(tmp_path: Path) -> None:
    (tmp_path / "server.log.1").write_text("one\ntwo\n")
    assert tail(tmp_path, 1) == "two\n"


def test_a_log_that_is_rotated_while_it_is_read_is_not_told_twice(tmp_path: Path) -> None:
    (tmp_path / "server.log").write_text("one\ntwo\n")
    (tmp_path / "server.log.1").hardlink_to(tmp_path / "server.log")
    assert tail(tmp_path, 5) == "one\ntwo\n"


def test_lines_longer_than_what_is_read_at_once_are_whole(tmp_path: Path) -> None:
    line = "x" * 200_000 + "\n"
    (tmp_path / "server.log").write_text("before\n" + line + line)
    assert tail(tmp_path, 2) == line + line


def test_an_endless_line_is_cut(tmp_path: Path) -> None:
    (tmp_path / "server.log").write_bytes(b"x" * (2 * LIMIT))
    assert tail(tmp_path, 1) == "x" * LIMIT


def test_the_log_is_rotated_and_one_older_file_kept(
    local_site: Callable[[str], LocalSite],
) -> None:
    site = local_site("writes much")
    spec = site.start()
    eventually(lambda: site.backend.logs(spec.key, lines=1) == "last line\n")
    folder = site.run(spec.key).folder
    sizes = {path.name: path.stat().st_size for path in folder.glob("server.log*")}
    assert set(sizes) == {"server.log", "server.log.1"}
    assert max(sizes.values()) <= 5 * 1024 * 1024
    assert site.backend.logs(spec.key, lines=3) == 2 * ("x" * 99 + "\n") + "last line\n"
