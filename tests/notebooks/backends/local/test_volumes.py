"""Volumes: removed with all they hold and nothing else, whatever their user did to them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from notebooks.backends.local.runs import private_folder
from notebooks.backends.local.volumes import Volumes
from submarine_site.core.outside import BackendRefused
from tests.contracts.backend_suite import a_spec, home_of, stop
from tests.notebooks.backends.local.conftest import LocalSite
from volumes.contract import VolumeSpec

NOBODY = 65534
VOLUME = VolumeSpec(id=UUID("7a1f2f0e-3d4c-4c55-9d0e-0a5a7a8f0b11"))


@pytest.fixture
def volumes() -> Iterator[Volumes]:
    """Volumes of an ordinary user, whom permissions stop; with one."""
    data = Path(tempfile.mkdtemp())
    user = os.geteuid()
    if user == 0:
        os.chown(data, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    volumes = Volumes(data=data)
    private_folder(volumes.of(VOLUME))
    yield volumes
    os.seteuid(user)
    shutil.rmtree(data)


def delete(volumes: Volumes) -> None:
    volumes.discard(volumes.of(VOLUME), str(VOLUME.id))
    volumes.remove_discarded(str(VOLUME.id))


def test_what_a_user_made_read_only_is_removed(volumes: Volumes) -> None:
    inner = volumes.of(VOLUME) / "data" / "raw"
    inner.mkdir(parents=True)
    (inner / "table.csv").write_text("1,2")
    (inner / "table.csv").chmod(0o400)
    inner.chmod(0o000)
    inner.parent.chmod(0o500)
    volumes.of(VOLUME).chmod(0o500)
    delete(volumes)
    assert not volumes.of(VOLUME).exists()
    assert list(volumes.discarded.iterdir()) == []


def test_what_a_symlink_points_to_is_left_alone(volumes: Volumes) -> None:
    outside = volumes.data / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    outside.chmod(0o500)
    (volumes.of(VOLUME) / "folder").symlink_to(outside)
    (volumes.of(VOLUME) / "file").symlink_to(outside / "precious")
    (volumes.of(VOLUME) / "loop").symlink_to(volumes.of(VOLUME))
    delete(volumes)
    assert not volumes.of(VOLUME).exists()
    assert (outside / "precious").read_text() == "kept"
    assert outside.stat().st_mode & 0o777 == 0o500


def test_a_deletion_that_was_interrupted_is_finished_by_the_next(volumes: Volumes) -> None:
    (volumes.of(VOLUME) / "notes.ipynb").write_text("{}")
    volumes.discard(volumes.of(VOLUME), str(VOLUME.id))
    private_folder(volumes.of(VOLUME))
    assert list(volumes.of(VOLUME).iterdir()) == []
    delete(volumes)
    assert list(volumes.discarded.iterdir()) == []


def test_what_cannot_be_removed_keeps_nothing_else_there(volumes: Volumes) -> None:
    private_folder(volumes.discarded)
    for n in range(4):
        (volumes.discarded / f"{VOLUME.id}.{n}").mkdir()
        # No folder, in which it differs.
        (volumes.discarded / f"file.{n}").touch()
    with pytest.raises(NotADirectoryError):
        volumes.remove_discarded()
    assert {path.name for path in volumes.discarded.iterdir()} == {f"file.{n}" for n in range(4)}


def test_a_home_cannot_be_deleted_while_its_run_stops(site: LocalSite) -> None:
    spec = site.start_ready()
    site.shim(spec.key).suspend()
    site.backend.stop(spec.key)
    with pytest.raises(BackendRefused):
        site.backend.delete_volume(home_of(spec))
    site.shim(spec.key).resume()
    site.await_gone(spec.key)
    site.backend.delete_volume(home_of(spec))
    assert not site.home(home_of(spec)).exists()


def test_what_is_in_one_home_stays_when_another_is_deleted(site: LocalSite) -> None:
    ada, grace = VolumeSpec(id=uuid4()), VolumeSpec(id=uuid4())
    for volume in (ada, grace):
        site.backend.ensure_volume(volume)
        (site.home(volume) / "notes.ipynb").write_text("{}")
    site.backend.delete_volume(ada)
    assert (site.home(grace) / "notes.ipynb").read_text() == "{}"


def test_what_was_discarded_by_who_did_not_remove_it_goes_when_things_are_tidied(
    site: LocalSite,
) -> None:
    site.backend.ensure_volume(VOLUME)
    volumes = site.backend._volumes
    volumes.discard(volumes.of(VOLUME), str(VOLUME.id))
    assert len(list(volumes.discarded.iterdir())) == 1
    site.backend.tidy()
    assert list(volumes.discarded.iterdir()) == []


def test_a_home_that_goes_with_its_run_goes_when_things_are_tidied(site: LocalSite) -> None:
    spec = site.start(replace(a_spec(), home=None))
    site.await_ready(spec.key)
    stop(site, spec)
    site.backend.tidy()
    assert list(site.backend._volumes.discarded.iterdir()) == []


REFUSED = {
    "archive": "name a folder by its absolute path",
    "/": "name a folder by its absolute path",
    "{folder}": "the service's own files are there",
    "{folder}/data": "the service's own files are there",
    "{folder}/data/homes": "the service's own files are there",
    "{folder}/archive/../data": "the service's own files are there",
    "{folder}/archive/link": "the service's own files are there",
}


@pytest.mark.parametrize("claim", REFUSED)
def test_a_folder_that_is_not_an_operators_to_give_is_refused(site: LocalSite, claim: str) -> None:
    (site.folder / "archive").mkdir()
    (site.folder / "archive/link").symlink_to(site.folder / "data")
    named = claim.format(folder=site.folder)
    with pytest.raises(BackendRefused) as refusal:
        site.backend.ensure_volume(VolumeSpec(id=uuid4(), claim=named))
    assert (refusal.value.code, refusal.value.message) == (
        "volume_refused",
        f"“{named}” cannot be a volume: {REFUSED[claim]}.",
    )


def test_a_file_cannot_be_given_to_be_a_volume(site: LocalSite) -> None:
    (site.folder / "archive").write_text("")
    with pytest.raises(BackendRefused) as refusal:
        site.backend.ensure_volume(VolumeSpec(id=uuid4(), claim=f"{site.folder}/archive"))
    assert (refusal.value.code, refusal.value.message) == (
        "volume_missing",
        f"There is no folder at “{site.folder}/archive”.",
    )
