"""Volumes in a home: links of ours alone are touched, and nothing its user did leads us outside."""

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from notebooks.backends.contract import SessionSpec, VolumeMount
from submarine_site.core.outside import BackendRefused
from tests.contracts.backend_suite import a_spec, a_volume, stop
from tests.notebooks.backends.local.conftest import LocalSite
from volumes.contract import VolumeSpec


@pytest.fixture
def volume(site: LocalSite) -> VolumeSpec:
    volume = a_volume()
    site.backend.ensure_volume(volume)
    return volume


@pytest.fixture
def home(site: LocalSite) -> VolumeSpec:
    home = VolumeSpec(id=uuid4())
    site.backend.ensure_volume(home)
    return home


def attaching(home: VolumeSpec, **paths: VolumeSpec) -> SessionSpec:
    """A run that has these volumes in this home."""
    return a_spec(
        home=home,
        mounts=tuple(VolumeMount(volume=volume, path=path) for path, volume in paths.items()),
    )


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def refusal_of(site: LocalSite, spec: SessionSpec, code: str = "mount_path_taken") -> str:
    with pytest.raises(BackendRefused) as refusal:
        site.backend.start(spec)
    assert refusal.value.code == code
    assert site.backend.observe(spec.key) is None
    return refusal.value.message


def test_a_volume_is_where_it_was_asked_for(
    site: LocalSite, home: VolumeSpec, volume: VolumeSpec
) -> None:
    site.start(attaching(home, **{"work/raw/data": volume}))
    link = site.home(home) / "work/raw/data"
    assert link.is_symlink()
    assert link.resolve() == site.home(volume)


@pytest.mark.parametrize("there", ["file", "folder", "link", "link to nothing"])
def test_what_is_there_already_is_not_touched(
    site: LocalSite, home: VolumeSpec, volume: VolumeSpec, there: str
) -> None:
    path = site.home(home) / "data"
    match there:
        case "file":
            path.write_text("mine")
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to("/etc")
        case _:
            path.symlink_to("/no/such/folder")
    before = path.lstat()
    assert refusal_of(site, attaching(home, data=volume)) == (
        "There is something at “data” in the home already: move it away, or attach the volume at "
        "another path."
    )
    assert path.lstat() == before


@pytest.mark.parametrize("path", ["out/data", "work/out/data"])
def test_a_link_of_the_users_own_does_not_lead_outside(
    site: LocalSite, home: VolumeSpec, volume: VolumeSpec, path: str
) -> None:
    outside = site.folder / "outside"
    outside.mkdir()
    out = (site.home(home) / path).parent
    out.parent.mkdir(exist_ok=True)
    out.symlink_to(outside)
    refusal_of(site, attaching(home, **{path: volume}))
    assert list(outside.iterdir()) == []


def test_another_volume_takes_the_place_of_one(
    site: LocalSite, home: VolumeSpec, volume: VolumeSpec
) -> None:
    first = site.start(attaching(home, data=volume))
    stop(site, first)
    other = a_volume()
    site.start(attaching(home, data=other))
    assert (site.home(home) / "data").resolve() == site.home(other)
    assert names(site.home(home)) == ["data"]


def test_what_one_session_has_there_is_not_taken_from_it(
    site: LocalSite, home: VolumeSpec, volume: VolumeSpec
) -> None:
    first = site.start(attaching(home, data=volume))
    other = a_volume()
    site.backend.ensure_volume(other)
    second = attaching(home, data=other)
    assert refusal_of(site, second, "mount_path_in_use") == (
        "The session “Ada's notes” has the same home, and another volume at “data”. Stop “Ada's "
        "notes” first, or attach the volume at another path."
    )
    assert (site.home(home) / "data").resolve() == site.home(volume)
    stop(site, first)
    site.backend.start(second)
    assert (site.home(home) / "data").resolve() == site.home(other)


@pytest.mark.parametrize(("first", "second"), [("data", "data/sets"), ("data/sets", "data")])
def test_a_volume_of_another_session_that_is_in_the_way_is_named(
    site: LocalSite, home: VolumeSpec, volume: VolumeSpec, first: str, second: str
) -> None:
    running = replace(attaching(home, **{first: volume}), display_name="Plots")
    site.start(running)
    other = a_volume()
    site.backend.ensure_volume(other)
    asked = attaching(home, **{second: other})
    assert refusal_of(site, asked, "mount_path_in_use") == (
        f"The session “Plots” has the same home, and a volume at “{first}”, which is in the way of "
        f"one at “{second}”. Stop “Plots” first, or attach the volume at another path."
    )
    assert (site.home(home) / first).resolve() == site.home(volume)
    assert list(site.home(volume).iterdir()) == []
    stop(site, running)
    site.backend.start(asked)
    assert (site.home(home) / second).resolve() == site.home(other)


def test_the_part_of_a_path_that_is_in_the_way_is_named(
    site: LocalSite, home: VolumeSpec, volume: VolumeSpec
) -> None:
    (site.home(home) / "work").write_text("mine")
    said = refusal_of(site, attaching(home, **{"work/raw/data": volume}))
    assert said.startswith("There is something at “work” in the home already")


def test_sessions_with_one_home_leave_each_other_their_volumes(
    site: LocalSite, home: VolumeSpec, volume: VolumeSpec
) -> None:
    site.start(attaching(home, data=volume))
    other = a_volume()
    site.start(attaching(home, data=volume, other=other))
    site.start(attaching(home))
    links = {path.name: path.resolve() for path in site.home(home).iterdir()}
    assert links == {"data": site.home(volume), "other": site.home(other)}


@pytest.mark.parametrize("kind", ["of ours", "of an operator's"])
def test_what_is_attached_no_more_is_gone_at_the_next_start(
    site: LocalSite, home: VolumeSpec, kind: str
) -> None:
    volume = a_volume(claim="" if kind == "of ours" else site.claim())
    first = site.start(attaching(home, **{"work/data": volume}))
    (site.home(home) / "work/notes").write_text("mine")
    stop(site, first)
    site.backend.delete_volume(volume)
    site.start(attaching(home))
    assert names(site.home(home) / "work") == ["notes"]


def test_what_took_the_place_of_a_volume_that_is_attached_no_more_stays(
    site: LocalSite, home: VolumeSpec, volume: VolumeSpec
) -> None:
    first = site.start(attaching(home, data=volume, more=a_volume()))
    stop(site, first)
    data, more = site.home(home) / "data", site.home(home) / "more"
    data.unlink()
    data.symlink_to("/etc")
    more.unlink()
    more.write_text("mine")
    site.start(attaching(home))
    assert (data.readlink(), more.read_text()) == (Path("/etc"), "mine")


def test_nothing_outside_is_removed_for_being_like_a_link_of_ours(
    site: LocalSite, home: VolumeSpec, volume: VolumeSpec
) -> None:
    first = site.start(attaching(home, **{"work/data": volume}))
    stop(site, first)
    outside = site.folder / "outside"
    (site.home(home) / "work").rename(outside)
    (site.home(home) / "work").symlink_to(outside)
    site.start(attaching(home))
    assert (outside / "data").is_symlink()


def test_a_volume_takes_the_place_of_the_folders_of_one_within(
    site: LocalSite, home: VolumeSpec, volume: VolumeSpec
) -> None:
    first = site.start(attaching(home, data=volume))
    stop(site, first)
    site.start(attaching(home, **{"data/raw": volume}))
    assert not (site.home(home) / "data").is_symlink()
    assert (site.home(home) / "data/raw").resolve() == site.home(volume)


def test_a_record_that_a_crash_spoilt_is_as_none(
    site: LocalSite, home: VolumeSpec, volume: VolumeSpec
) -> None:
    first = site.start(attaching(home, data=volume))
    stop(site, first)
    site.backend._volumes.record_of(home.id).write_text("{")
    other = a_volume()
    site.start(attaching(home, data=other))
    assert (site.home(home) / "data").resolve() == site.home(other)


def test_a_home_that_goes_with_its_run_has_volumes_too(site: LocalSite, volume: VolumeSpec) -> None:
    spec = replace(attaching(VolumeSpec(id=uuid4()), data=volume), home=None)
    site.start(spec)
    site.await_ready(spec.key)
    assert site.write_file(spec.key, "data/table", "ada")
    stop(site, spec)
    assert not site.run(spec.key).home.exists()
    assert (site.home(volume) / "table").read_text() == "ada"
