"""Real JupyterLab servers in a full home, with volumes in it, and without any."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from notebooks.backends.contract import RunState, SessionSpec, VolumeMount
from tests.contracts.backend_suite import a_spec, a_volume, home_of, start_ready, stop
from tests.contracts.eventually import eventually
from tests.notebooks.backends.local.conftest import (
    JUPYTER_LAB,
    LocalSite,
    browser,
    get,
    small_disk,
)

pytestmark = pytest.mark.jupyter


@pytest.fixture
def jupyter(folder: Path) -> Iterator[LocalSite]:
    site = LocalSite(folder, JUPYTER_LAB)
    yield site
    site.close()


@pytest.fixture
def full(folder: Path) -> Iterator[SessionSpec]:
    """A run whose home has no byte left."""
    spec = a_spec()
    home = folder / "data/homes" / str(home_of(spec).id)
    home.mkdir(parents=True)
    with small_disk(home):
        (home / "notes.txt").write_text("ada's")
        with pytest.raises(OSError, match="No space left"):
            (home / "table.csv").write_bytes(bytes(4 * 1024 * 1024))
        yield spec


def next_run(spec: SessionSpec) -> SessionSpec:
    return replace(spec, key=replace(spec.key, run_id=uuid4()))


def make_files(folder: Path, count: int) -> None:
    for number in range(count):
        (folder / f"{number}").touch()


async def names(site: LocalSite, spec: SessionSpec, folder: str = "") -> set[str]:
    status, listing = await get(site, spec, f"api/contents/{folder}")
    assert status == 200
    return {entry["name"] for entry in json.loads(listing)["content"]}


async def test_a_user_makes_room_in_a_full_home_and_starts_as_ever(
    full: SessionSpec, jupyter: LocalSite
) -> None:
    home = jupyter.home(home_of(full))
    jupyter.backend.start(full)
    seen = jupyter.await_state(full.key, RunState.EXITED)
    assert (seen.failure_code, seen.failure_detail) == (
        "home_full",
        "The home is full: 2 of 2 MiB of its disk are used.",
    )
    stop(jupyter, full)

    rescue = replace(next_run(full), is_rescue=True)
    jupyter.backend.start(rescue)
    jupyter.await_ready(rescue.key)
    assert await names(jupyter, rescue) == {"notes.txt", "table.csv"}
    status, _ = await get(jupyter, rescue, "lab")
    assert status == 200
    async with browser(jupyter, rescue) as session:
        async with session.post("api/kernels") as answer:
            assert answer.status == 201
        async with session.delete("api/contents/table.csv") as answer:
            assert answer.status == 204
    assert not (home / "table.csv").exists()
    stop(jupyter, rescue)

    again = next_run(full)
    jupyter.backend.start(again)
    jupyter.await_ready(again.key)
    assert await names(jupyter, again) == {"notes.txt"}


async def test_a_full_home_has_no_room_for_volumes_and_a_rescue_starts_without(
    full: SessionSpec, jupyter: LocalSite
) -> None:
    home = jupyter.home(home_of(full))
    volume = a_volume()
    jupyter.backend.ensure_volume(volume)
    with pytest.raises(OSError, match="No space left"):
        make_files(home, 200)
    mounts = (VolumeMount(volume=volume, path="data"),)
    jupyter.backend.start(replace(full, mounts=mounts))
    assert jupyter.await_state(full.key, RunState.EXITED).failure_code == "home_full"
    stop(jupyter, full)
    rescue = replace(next_run(full), mounts=mounts, is_rescue=True)
    jupyter.backend.start(rescue)
    jupyter.await_ready(rescue.key)
    assert not (home / "data").is_symlink()


async def test_what_a_user_broke_in_the_home_does_not_keep_a_rescue_from_starting(
    jupyter: LocalSite,
) -> None:
    spec = a_spec()
    jupyter.backend.ensure_volume(home_of(spec))
    config = jupyter.home(home_of(spec)) / ".jupyter/jupyter_server_config.py"
    config.parent.mkdir()
    config.write_text("raise SystemExit(5)")
    jupyter.backend.start(spec)
    jupyter.await_state(spec.key, RunState.EXITED)
    stop(jupyter, spec)
    rescue = replace(next_run(spec), is_rescue=True)
    jupyter.backend.start(rescue)
    jupyter.await_ready(rescue.key)
    elsewhere = jupyter.run(rescue.key).rescue
    async with browser(jupyter, rescue) as session, session.post("api/kernels") as answer:
        assert answer.status == 201
    eventually((elsewhere / "ipython").is_dir)
    assert not (jupyter.home(home_of(spec)) / ".ipython").exists()
    assert not (jupyter.home(home_of(spec)) / ".local").exists()
    stop(jupyter, rescue)
    assert not elsewhere.exists()


async def test_volumes_are_used_as_folders(jupyter: LocalSite) -> None:
    own, shared = a_volume(), a_volume()
    jupyter.backend.ensure_volume(shared)
    (jupyter.home(shared) / "table.csv").write_text("1,2")
    spec = start_ready(
        jupyter,
        VolumeMount(volume=own, path="work/own"),
        VolumeMount(volume=shared, path="shared", read_only=True),
    )
    assert await names(jupyter, spec) == {"shared", "work"}
    assert await names(jupyter, spec, "shared") == {"table.csv"}
    file = {"type": "file", "format": "text", "content": "3,4"}
    async with browser(jupyter, spec) as session:
        async with session.put("api/contents/work/own/table.csv", json=file) as answer:
            assert answer.status == 201
        async with session.put("api/contents/shared/table.csv", json=file) as answer:
            assert answer.status in {403, 500}
        async with session.delete("api/contents/shared/table.csv") as answer:
            assert answer.status in {400, 403, 500}
    assert (jupyter.home(own) / "table.csv").read_text() == "3,4"
    assert (jupyter.home(shared) / "table.csv").read_text() == "1,2"


async def test_deleting_the_folder_of_a_volume_leaves_what_the_volume_holds(
    jupyter: LocalSite,
) -> None:
    volume = a_volume()
    spec = start_ready(jupyter, VolumeMount(volume=volume, path="data"))
    (jupyter.home(volume) / "table.csv").write_text("1,2")
    async with browser(jupyter, spec) as session:
        await session.delete("api/contents/data")
    assert (jupyter.home(volume) / "table.csv").read_text() == "1,2"
    stop(jupyter, spec)
    again = replace(next_run(spec), mounts=spec.mounts)
    jupyter.backend.start(again)
    jupyter.await_ready(again.key)
    assert (jupyter.home(home_of(spec)) / "data/table.csv").read_text() == "1,2"
