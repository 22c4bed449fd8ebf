"""The step that makes the folders at which volumes are attached: run by a real shell."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from notebooks.backends.contract import CodeSource, VolumeMount
from notebooks.backends.kubernetes import manifests, mount_points
from notebooks.backends.kubernetes.api import Json
from notebooks.backends.kubernetes.config import SiteConfig
from tests.contracts.backend_suite import a_spec
from tests.notebooks.backends.kubernetes.pod_security import violations
from tests.notebooks.backends.kubernetes.recordings import Recording, recording
from volumes.contract import VolumeSpec

SITE = SiteConfig()
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]


def steps_at(*paths: str) -> list[Json]:
    mounts = tuple(VolumeMount(volume=VolumeSpec(id=a_spec().key.run_id), path=p) for p in paths)
    code = (CodeSource(url="https://git.example.com/a.git", folder="a"),)
    pod = manifests.pod(replace(a_spec(), mounts=mounts, code=code), SITE)
    assert violations(pod) == []
    found: list[Json] = pod["spec"]["initContainers"]
    return found


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    return [request.param, "sh"] if request.param == "busybox" else [request.param]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


def made(shell: list[str], home: Path, *paths: str) -> str:
    """Run the step as the cluster passes it on; what was in the way."""
    step = steps_at(*paths)[0]
    _, *arguments = [each.replace("$$", "$") for each in [*step["command"], *step["args"]]]
    message = home.parent / "message"
    arguments[1] = arguments[1].replace("/dev/termination-log", str(message))
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    done = subprocess.run([*shell, *arguments], env=environment, cwd="/", timeout=30, check=False)
    assert done.returncode == (mount_points.EXIT_CODE if message.exists() else 0)
    return message.read_text() if message.exists() else ""


def test_the_folders_are_made_and_may_be_there(shell: list[str], home: Path) -> None:
    (home / "work").mkdir()
    (home / "work" / "note.txt").write_text("stays")
    paths = ["data", "work/raw data", "$HOME *", "-p", "`x`/$(y)", "ä/ö"]
    for _ in range(2):
        assert made(shell, home, *paths) == ""
    assert all((home / path).is_dir() for path in paths)
    assert {path.name for path in home.iterdir()} == {"data", "work", "$HOME *", "-p", "`x`", "ä"}
    assert [path.name for path in home.parent.iterdir()] == ["home"]


@pytest.mark.parametrize("path", ["data", "data/raw"])
def test_a_file_in_the_way_is_told(shell: list[str], home: Path, path: str) -> None:
    (home / "data").write_text("mine")
    assert made(shell, home, "other", path, "third") == path
    assert (home / "data").read_text() == "mine"


@pytest.mark.parametrize("path", ["data", "data/raw"])
def test_no_volume_is_put_where_a_symlink_leads(shell: list[str], home: Path, path: str) -> None:
    (home / "data").symlink_to("/tmp")  # noqa: S108
    assert made(shell, home, path) == path


def test_files_are_never_hidden(shell: list[str], home: Path) -> None:
    (home / "data" / "raw").mkdir(parents=True)
    (home / "data" / "raw" / ".hidden").write_text("mine")
    assert made(shell, home, "data/raw") == "data/raw"


def test_where_there_is_no_home_what_comes_next_tells(shell: list[str], home: Path) -> None:
    home.rmdir()
    assert made(shell, home, "data") == ""


def test_it_comes_before_code_and_sees_the_home_alone() -> None:
    first, second = steps_at("data")
    assert (first["name"], second["name"]) == ("mount-points", "code")
    assert first["volumeMounts"] == [{"name": "home", "mountPath": "/home/jovyan"}]
    assert first["securityContext"] == second["securityContext"]
    assert first["resources"] == second["resources"]


def ended(exit_code: int, message: str) -> Recording:
    seen = recording("init_failed")
    seen.pod["spec"]["initContainers"][0]["name"] = "mount-points"
    [status] = seen.pod["status"]["initContainerStatuses"]
    status["name"] = "mount-points"
    state = {"exitCode": exit_code, "reason": "Error", "message": message}
    status["state"] = {"terminated": status["state"]["terminated"] | state}
    return seen


def test_a_run_that_ended_for_it_is_told_where() -> None:
    seen = ended(mount_points.EXIT_CODE, "data/raw").seen()
    assert seen.failure_code == "mount_path_taken"
    assert seen.failure_detail == (
        "There is something at “data/raw” in the home already: move it, or attach the volume "
        "elsewhere."
    )


@pytest.mark.parametrize(("exit_code", "message"), [(1, "data"), (73, ""), (73, "a\nb")])
def test_another_end_is_another_failure(exit_code: int, message: str) -> None:
    assert ended(exit_code, message).seen().failure_code == "preparation_failed"
