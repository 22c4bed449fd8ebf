"""Homes without room for the files of a server, and what volumes hold."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from notebooks.backends.contract import RunState, SessionSpec
from notebooks.backends.local import volumes
from notebooks.backends.local.before.room import held_bytes, why_full
from tests.contracts.backend_suite import a_spec, a_volume, home_of, stop
from tests.notebooks.backends.local.conftest import LocalSite, small_disk
from volumes.contract import VolumeSeen

MIB = 1024 * 1024
FOR_EVER = float("inf")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB."""
    with small_disk(tmp_path) as disk:
        yield disk


def test_a_home_with_room_is_not_full(tmp_path: Path) -> None:
    assert why_full(str(tmp_path), None) == ""
    assert why_full(str(tmp_path), 1) == ""
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_holds_what_it_may_is_full(tmp_path: Path) -> None:
    (tmp_path / "table").write_bytes(os.urandom(2 * MIB))
    assert why_full(str(tmp_path), 2) == "The home is full: 2 of 2 MiB."
    assert why_full(str(tmp_path), 3) == ""


def test_a_home_on_a_full_disk_is_full(disk: Path) -> None:
    (disk / "table").write_bytes(bytes(MIB + 4096))
    assert why_full(str(disk), None) == "The home is full: 1 of 2 MiB of its disk are used."
    assert [path.name for path in disk.iterdir()] == ["table"]
    (disk / "table").unlink()
    assert why_full(str(disk), None) == ""


def test_a_home_that_cannot_be_written_to_is_not_full() -> None:
    assert why_full("/proc/self", None) == ""


def test_files_count_by_what_they_take_up_and_once(tmp_path: Path) -> None:
    top = tmp_path / "home"
    (top / "inner").mkdir(parents=True)
    (top / "inner/table").write_bytes(os.urandom(3 * MIB))
    os.link(top / "inner/table", top / "again")
    with (top / "sparse").open("wb") as sparse:
        sparse.truncate(100 * MIB)
    outside = tmp_path / "outside"
    outside.write_bytes(os.urandom(MIB))
    (top / "link").symlink_to(outside)
    (top / "loop").symlink_to(top)
    # And a little for folder and links.
    held = held_bytes(str(top), FOR_EVER)
    assert held is not None
    assert held // MIB == 3


def test_what_would_take_too_long_to_look_at_is_not_known(tmp_path: Path) -> None:
    for number in range(150):
        (tmp_path / str(number)).touch()
    assert held_bytes(str(tmp_path), time.monotonic()) is None


def test_what_volumes_hold_is_seen(site: LocalSite) -> None:
    empty, held = a_volume(), a_volume()
    for volume in (empty, held):
        site.backend.ensure_volume(volume)
    (site.home(held) / "table").write_bytes(os.urandom(MIB))
    (site.home(held).parent / ".DS_Store").touch()
    assert site.backend.observe_volumes() == {
        empty.id: VolumeSeen(used_mib=0),
        held.id: VolumeSeen(used_mib=1),
    }


def test_volumes_are_seen_also_where_there_is_no_time_to_look_into_them(
    site: LocalSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volumes, "LOOK_SECONDS", 0.0)
    volume = a_volume()
    site.backend.ensure_volume(volume)
    for number in range(150):
        (site.home(volume) / str(number)).touch()
    assert site.backend.observe_volumes() == {volume.id: VolumeSeen()}


@pytest.fixture
def full(site: LocalSite) -> SessionSpec:
    """A run whose home of 1 MiB holds that much."""
    spec = a_spec(home=a_volume(size_mib=1))
    site.backend.ensure_volume(home_of(spec))
    (site.home(home_of(spec)) / "table").write_bytes(os.urandom(MIB))
    (site.home(home_of(spec)) / "notes").write_text("ada")
    return spec


def test_a_start_in_a_full_home_ends_with_why(site: LocalSite, full: SessionSpec) -> None:
    site.backend.start(full)
    seen = site.await_state(full.key, RunState.EXITED)
    assert (seen.failure_code, seen.failure_detail, seen.exit_code) == (
        "home_full",
        "The home is full: 1 of 1 MiB.",
        1,
    )
    assert site.backend.logs(full.key, lines=5) == "The home is full: 1 of 1 MiB.\n"
    stop(site, full)


def test_a_rescue_starts_in_a_full_home(site: LocalSite, full: SessionSpec) -> None:
    site.start(replace(full, is_rescue=True))
    assert site.await_ready(full.key).failure_code == ""
    assert site.read_file(full.key, "notes") == "ada"


def test_a_server_that_ends_later_ends_for_another_reason(
    site: LocalSite, full: SessionSpec
) -> None:
    (site.home(home_of(full)) / "table").unlink()
    site.start(full)
    site.await_ready(full.key)
    failure = site.run(full.key).folder / "failure.json"
    failure.write_text('{"code": "home_full", "message": "Forged."}')
    psutil.Process(site.server(full.key).pid).kill()
    assert site.await_state(full.key, RunState.EXITED).failure_code == ""
