"""Homes: removed with all they hold and nothing else, whatever their user did to them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from notebooks.backends.local.homes import Homes
from notebooks.backends.local.runs import private_folder
from submarine_site.core.outside import BackendRefused
from tests.notebooks.backends.local.conftest import LocalSite

NOBODY = 65534
VOLUME = UUID("7a1f2f0e-3d4c-4c55-9d0e-0a5a7a8f0b11")


@pytest.fixture
def homes() -> Iterator[Homes]:
    """Homes of an ordinary user, whom permissions stop; with one home."""
    data = Path(tempfile.mkdtemp())
    user = os.geteuid()
    if user == 0:
        os.chown(data, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    homes = Homes(data=data)
    private_folder(homes.of(VOLUME))
    yield homes
    os.seteuid(user)
    shutil.rmtree(data)


def delete(homes: Homes) -> None:
    homes.discard(VOLUME)
    homes.remove_discarded(VOLUME)


def test_what_a_user_made_read_only_is_removed(homes: Homes) -> None:
    inner = homes.of(VOLUME) / "data" / "raw"
    inner.mkdir(parents=True)
    (inner / "table.csv").write_text("1,2")
    (inner / "table.csv").chmod(0o400)
    inner.chmod(0o000)
    inner.parent.chmod(0o500)
    homes.of(VOLUME).chmod(0o500)
    delete(homes)
    assert not homes.of(VOLUME).exists()
    assert list(homes.discarded.iterdir()) == []


def test_what_a_symlink_points_to_is_left_alone(homes: Homes) -> None:
    outside = homes.data / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    outside.chmod(0o500)
    (homes.of(VOLUME) / "folder").symlink_to(outside)
    (homes.of(VOLUME) / "file").symlink_to(outside / "precious")
    (homes.of(VOLUME) / "loop").symlink_to(homes.of(VOLUME))
    delete(homes)
    assert not homes.of(VOLUME).exists()
    assert (outside / "precious").read_text() == "kept"
    assert outside.stat().st_mode & 0o777 == 0o500


def test_a_deletion_that_was_interrupted_is_finished_by_the_next(homes: Homes) -> None:
    (homes.of(VOLUME) / "notes.ipynb").write_text("{}")
    homes.discard(VOLUME)
    private_folder(homes.of(VOLUME))
    assert list(homes.of(VOLUME).iterdir()) == []
    delete(homes)
    assert list(homes.discarded.iterdir()) == []


def test_a_home_cannot_be_deleted_while_its_run_stops(site: LocalSite) -> None:
    spec = site.start_ready()
    site.shim(spec.key).suspend()
    site.backend.stop(spec.key)
    with pytest.raises(BackendRefused):
        site.backend.delete_volume(spec.home)
    site.shim(spec.key).resume()
    site.await_gone(spec.key)
    site.backend.delete_volume(spec.home)
    assert not site.home(spec.home).exists()


def test_what_is_in_one_home_stays_when_another_is_deleted(site: LocalSite) -> None:
    ada, grace = uuid4(), uuid4()
    for volume in (ada, grace):
        site.backend.ensure_volume(volume)
        (site.home(volume) / "notes.ipynb").write_text("{}")
    site.backend.delete_volume(ada)
    assert (site.home(grace) / "notes.ipynb").read_text() == "{}"
