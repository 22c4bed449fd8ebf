import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from submarine_site.quickstart.errors import QuickstartError
from submarine_site.quickstart.folders import (
    LONGEST_RUNTIME_PATH,
    data_folder,
    locked,
    runtime_folder,
    write_private,
)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
not_as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")


@pytest.fixture(autouse=True)
def no_given_runtime_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)


@pytest.fixture
def private() -> Iterator[Path]:
    """A folder that could be XDG_RUNTIME_DIR, with a path as short as those have."""
    folder = Path("/tmp") / f"qs-{os.getpid()}"  # noqa: S108
    folder.mkdir(mode=0o700)
    yield folder
    for path in folder.iterdir():
        path.rmdir()
    folder.rmdir()


def test_a_data_folder_is_made_closed_to_others(tmp_path: Path) -> None:
    folder = data_folder(tmp_path / "a" / "b")
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_data_folder_that_others_may_write_into_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(QuickstartError, match=r"Others may write into .* `chmod go-w`, or choose"):
        data_folder(tmp_path)


def test_a_full_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("submarine_site.quickstart.folders.NEEDED_BYTES", 1 << 80)
    with pytest.raises(QuickstartError, match=r"is full .* make room, or choose another place"):
        data_folder(tmp_path)


def test_a_file_in_place_of_the_data_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(QuickstartError, match=r"file is not a folder: choose another .*DATA="):
        data_folder(file)


@not_as_root
def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(
        QuickstartError, match=r"cannot be used .Permission denied.: choose another"
    ):
        data_folder(tmp_path / "data")


@not_as_root
def test_a_data_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with (
        pytest.raises(QuickstartError, match=r"cannot be used .Permission denied."),
        locked(data_folder(tmp_path)),
    ):
        pass


def test_a_folder_that_is_in_use_is_refused_with_who_uses_it(tmp_path: Path) -> None:
    with locked(tmp_path) as tell:
        tell("http://127.0.0.1:8000")
        with (
            pytest.raises(
                QuickstartError,
                match=f"already running at http://127.0.0.1:8000, pid {os.getpid()}: ",
            ),
            locked(tmp_path),
        ):
            pass


def test_a_folder_is_free_again_after_use(tmp_path: Path) -> None:
    with locked(tmp_path) as tell:
        tell("http://127.0.0.1:8000")
    with (
        locked(tmp_path),
        pytest.raises(QuickstartError, match="already running and is just starting"),
        locked(tmp_path),
    ):
        pass


def test_the_runtime_folder_is_closed_to_others(tmp_path: Path) -> None:
    with runtime_folder(tmp_path) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_data_folder_has_the_same_runtime_folder_each_time(tmp_path: Path) -> None:
    with runtime_folder(tmp_path) as first, runtime_folder(tmp_path / "." / "x" / "..") as second:
        assert first == second


def test_an_empty_runtime_folder_is_removed_after_use(tmp_path: Path) -> None:
    with runtime_folder(tmp_path) as folder:
        pass
    assert not folder.exists()


def test_a_runtime_folder_with_a_socket_that_is_left_stays(tmp_path: Path) -> None:
    with runtime_folder(tmp_path) as folder:
        (folder / "session.sock").touch()
    assert folder.exists()
    shutil.rmtree(folder)


def test_the_users_own_runtime_folder_is_preferred(
    tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(private))
    with runtime_folder(tmp_path) as folder:
        assert folder.parent == private


@pytest.mark.parametrize(
    "given",
    ["relative", "/", "/tmp/" + "x" * LONGEST_RUNTIME_PATH, "/does/not/exist"],  # noqa: S108
)
def test_an_unfit_runtime_folder_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", given)
    with runtime_folder(tmp_path) as folder:
        assert folder.parent == Path("/tmp")  # noqa: S108


def test_a_deep_data_folder_has_a_short_runtime_folder(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 200) / "ü '\""
    with runtime_folder(deep) as folder, socket.socket(socket.AF_UNIX) as listener:
        path = folder / ("s" * (107 - LONGEST_RUNTIME_PATH - 1))
        listener.bind(str(path))
        path.unlink()


@pytest.fixture
def taken(tmp_path: Path) -> Iterator[Path]:
    """Where the runtime folder would be made."""
    with runtime_folder(tmp_path) as folder:
        pass
    folder.mkdir(mode=0o700)
    yield folder
    if folder.is_symlink():
        folder.unlink()
    else:
        folder.rmdir()


def refused(data: Path) -> None:
    with (
        pytest.raises(QuickstartError, match="is not a folder of your own"),
        runtime_folder(data),
    ):
        pass


def test_a_link_in_place_of_the_runtime_folder_is_refused(tmp_path: Path, taken: Path) -> None:
    taken.rmdir()
    taken.symlink_to(tmp_path)
    refused(tmp_path)


def test_a_runtime_folder_open_to_others_is_refused(tmp_path: Path, taken: Path) -> None:
    taken.chmod(0o755)
    refused(tmp_path)


@as_root
def test_a_runtime_folder_of_somebody_else_is_refused(tmp_path: Path, taken: Path) -> None:
    os.chown(taken, 65534, 65534)
    refused(tmp_path)


def test_a_private_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("open")
    path.chmod(0o644)
    write_private(path, "closed")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("closed", 0o600)
    assert list(tmp_path.iterdir()) == [path]
