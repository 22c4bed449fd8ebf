"""Folders are removed with all that they hold, whatever their user did to them."""

import secrets
from pathlib import Path

import pytest

from notebooks.backends.local.folders import remove_tree
from tests.notebooks.backends.local.conftest import dig


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A folder that is deeper than a path can be long, with a symlink out of it at its end."""
    top = tmp_path / "deep"
    top.mkdir()
    dig(top, tmp_path)
    return top


def test_a_folder_of_any_depth_is_removed(deep: Path) -> None:
    remove_tree(deep)
    assert not deep.exists()
    assert deep.parent.is_dir()


def test_another_try_goes_on_where_one_was_ended(
    deep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter(str(n) for n in range(100))
    with monkeypatch.context() as killed:
        killed.setattr(secrets, "token_hex", lambda _: next(names))
        with pytest.raises(StopIteration):
            remove_tree(deep)
    assert [path.name for path in deep.iterdir()] == ["99"]
    remove_tree(deep)
    assert not deep.exists()


def test_nothing_is_done_where_there_is_no_folder(tmp_path: Path) -> None:
    remove_tree(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []
