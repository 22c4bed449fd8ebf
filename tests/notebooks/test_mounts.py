"""Where volumes may be: never over the server's own files, outside of the home, or over another."""

from uuid import UUID

import pytest

from notebooks.backends.contract import CodeSource
from notebooks.mounts import MAX_MOUNTS, Mount
from notebooks.setup import Setup, checked
from submarine_site.core.errors import InvalidInput


def mount(path: str, *, number: int = 1, read_only: bool = False) -> Mount:
    return Mount(volume=UUID(int=number), path=path, read_only=read_only)


def refused(*mounts: Mount, code: tuple[CodeSource, ...] = ()) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refusal:
        checked(Setup(mounts=mounts, code=code))
    return refusal.value.fields


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("data", "data"),
        (" data ", "data"),
        ("./data", "data"),
        ("data/", "data"),
        ("data/raw/2026", "data/raw/2026"),
        ("my data", "my data"),
        ("données", "données"),
        ("数据", "数据"),
        ("$HOME", "$HOME"),
        ("-rf", "-rf"),
        ("data..", "data.."),
    ],
)
def test_a_path_is_below_the_home(path: str, kept: str) -> None:
    [clean] = checked(Setup(mounts=(mount(path, read_only=True),))).mounts
    assert clean == mount(kept, read_only=True)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "A path below the home is needed, such as “data”."),
        ("  ", "A path below the home is needed, such as “data”."),
        ("/", "A path begins below the home: “data”, not “/data”."),
        ("/data", "A path begins below the home: “data”, not “/data”."),
        ("/etc", "A path begins below the home: “data”, not “/data”."),
        ("//data", "A path begins below the home: “data”, not “/data”."),
        ("..", "A path leads down from the home, never up with “..”."),
        ("../etc", "A path leads down from the home, never up with “..”."),
        ("data/../../etc", "A path leads down from the home, never up with “..”."),
        ("data/..", "A path leads down from the home, never up with “..”."),
        (".", "A path leads down from the home, never up with “..”."),
        ("data/./raw", "A path leads down from the home, never up with “..”."),
        (".jupyter", "No part of the path may begin with a dot."),
        (".local/share/jupyter", "No part of the path may begin with a dot."),
        (".ipython", "No part of the path may begin with a dot."),
        (".ssh", "No part of the path may begin with a dot."),
        ("./.config", "No part of the path may begin with a dot."),
        ("data/.git", "No part of the path may begin with a dot."),
        ("...", "No part of the path may begin with a dot."),
        ("C:data", "The path cannot hold a colon."),
        ("a\u202eb", "The path holds a character that cannot be shown."),
        ("a\u2028b", "The path holds a character that cannot be shown."),
        ("a\x85b", "The path holds a character that cannot be shown."),
        ("a\ud800b", "The path holds a character that cannot be shown."),
        ("数" * 90, "A folder's name has at most 255 bytes."),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str, message: str) -> None:
    assert refused(mount(path)) == {"mounts.0.path": message}


@pytest.mark.parametrize(
    "path", ["a//b", "data//", "a\\b", "a\nb", "a\0b", "a\x7fb", "x" * 101, "x/" * 101, "./", "\\"]
)
def test_a_path_of_another_form_is_refused(path: str) -> None:
    message = "A path has at most 200 characters, and names between its slashes."
    assert refused(mount(path)) == {"mounts.0.path": message}


@pytest.mark.parametrize(
    ("one", "other"),
    [("data", "data"), ("data", "data/raw"), ("a/b/c", "a/b"), ("data", "./data/")],
)
def test_two_volumes_are_not_in_each_others_way(one: str, other: str) -> None:
    fields = refused(mount(one), mount(other, number=2))
    assert list(fields) == ["mounts.1.path"]
    assert "are in each other's way" in fields["mounts.1.path"]


def test_paths_that_begin_alike_are_two() -> None:
    paths = ("data", "data2", "dat", "other/data")
    mounts = tuple(mount(path, number=number) for number, path in enumerate(paths))
    assert checked(Setup(mounts=mounts)).mounts == mounts


@pytest.mark.parametrize("folder", ["", "project", "project/sub", "./project/"])
def test_code_and_volumes_are_not_in_each_others_way(folder: str) -> None:
    code = (CodeSource(url="https://git.example.com/team/project.git", folder=folder),)
    assert list(refused(mount("project"), code=code)) == ["mounts.0.path"]


def test_a_volume_is_at_one_path() -> None:
    assert refused(mount("a"), mount("b")) == {
        "mounts.1.volume": "This volume is at another path already."
    }


def test_there_is_a_most_of_them() -> None:
    mounts = [mount(f"v{number}", number=number) for number in range(MAX_MOUNTS + 1)]
    assert len(checked(Setup(mounts=tuple(mounts[:-1]))).mounts) == MAX_MOUNTS
    assert refused(*mounts) == {"mounts": "There are 11 volumes; 10 is the most."}


def test_what_is_kept_is_read_as_it_was() -> None:
    setup = Setup(mounts=(mount("data", read_only=True), mount("more", number=2)))
    assert Setup.from_json(setup.as_json()) == setup
    assert Setup().as_json() == {}
