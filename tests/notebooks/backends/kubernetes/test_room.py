"""The look for room before the server: run by a real shell, and how its end is read."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from notebooks.backends.contract import Observed
from notebooks.backends.kubernetes import manifests, room
from notebooks.backends.kubernetes.config import SiteConfig
from notebooks.backends.rescue import environment as rescue_environment
from tests.contracts.backend_suite import a_spec
from tests.notebooks.backends.kubernetes.recordings import recording

SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    return [request.param, "sh"] if request.param == "busybox" else [request.param]


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A home of 4 MiB that is full."""
    if os.geteuid():
        pytest.skip("only root can mount a file system")
    home = tmp_path / "full"
    home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", home], check=True)
    try:
        (home / "big").write_bytes(bytes(4 * 1024**2))
        yield home
    finally:
        subprocess.run(["umount", home], check=True)


def looked(shell: list[str], home: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run what a container is given, as the cluster passes it on; its message goes to a file."""
    _, *arguments = room.looking_first(list(command), run="nb-1")
    arguments = [each.replace("$$", "$") for each in arguments]
    arguments[1] = arguments[1].replace("/dev/termination-log", str(home.parent / "message"))
    return subprocess.run(
        [*shell, *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_with_room_the_command_is_run_as_it_is(shell: list[str], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    done = looked(shell, home, "printf", "%s\n", "$HOME; exit 9", "a  b")
    assert (done.returncode, done.stdout, done.stderr) == (0, "$HOME; exit 9\na  b\n", "")
    assert list(home.iterdir()) == []


def test_the_command_takes_the_shells_place(shell: list[str], tmp_path: Path) -> None:
    code = "import os; os.kill(os.getpid(), 15)"
    assert looked(shell, tmp_path, "python3", "-c", code).returncode == -signal.SIGTERM


def test_a_full_home_ends_it_with_numbers(shell: list[str], full: Path) -> None:
    done = looked(shell, full, "touch", str(full.parent / "ran"))
    assert (done.returncode, done.stderr) == (room.EXIT_CODE, "The home is full.\n")
    message = (full.parent / "message").read_text()
    assert message == "home_full 4096 4096 0\n"
    assert room.full_home(done.returncode, message) == "The home is full: 4 of 4 MiB."
    assert not (full.parent / "ran").exists()
    assert [file.name for file in full.iterdir()] == ["big"]


def test_a_home_that_cannot_be_written_for_another_reason_is_the_servers_to_tell(
    shell: list[str], tmp_path: Path
) -> None:
    assert looked(shell, tmp_path / "none", "echo", "here").stdout == "here\n"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("home_full 10485760 10380902 0\n", "The home is full: 9.9 of 10.0 GiB."),
        ("home_full 16384 16384 1023", "The home is full: 16 of 16 MiB."),
        ("home_full 10485760 1048576 9437184\n", "The home is full."),
        ("home_full   \n", "The home is full."),
        ("home_full 1 2 x", "The home is full."),
        ("home_full " + "9" * 30, "The home is full."),
        ("", ""),
        ("Traceback: home_full 1 1 0", ""),
    ],
)
def test_what_it_says_is_read(message: str, said: str) -> None:
    assert room.full_home(room.EXIT_CODE, message) == said
    assert room.full_home(1, message) == ""


def ended(exit_code: int, message: str, reason: str = "Error") -> Observed:
    seen = recording("exit_1")
    state = seen.pod["status"]["containerStatuses"][0]["state"]["terminated"]
    state |= {"exitCode": exit_code, "message": message, "reason": reason}
    return seen.seen()


def test_a_run_that_ended_for_it_is_told_so() -> None:
    seen = ended(room.EXIT_CODE, "home_full 16384 16384 0\n")
    assert (seen.failure_code, seen.failure_detail, seen.exit_code) == (
        "home_full",
        "The home is full: 16 of 16 MiB.",
        room.EXIT_CODE,
    )


def test_a_home_in_which_no_folder_can_be_made_to_attach_at_is_full() -> None:
    message = (
        "failed to create containerd task: OCI runtime create failed: error mounting "
        '"/var/lib/kubelet/pods/1/volumes/x" to rootfs at "/home/jovyan/data": mkdir '
        "/run/rootfs/home/jovyan/data: no space left on device: unknown"
    )
    seen = ended(128, message, reason="StartError")
    assert (seen.failure_code, seen.failure_detail) == ("home_full", "The home is full.")


def test_a_rescue_does_not_look_and_keeps_its_own_files_elsewhere() -> None:
    spec = a_spec()
    plain = manifests.pod(spec, SiteConfig())["spec"]["containers"][0]
    rescue = manifests.pod(replace(spec, is_rescue=True), SiteConfig())["spec"]["containers"][0]
    assert plain["args"][0] == "sh"
    assert rescue["args"][:2] == ["jupyter", "lab"]
    assert "--FileContentsManager.delete_to_trash=False" in rescue["args"]
    assert rescue["volumeMounts"][0] == plain["volumeMounts"][0]
    changed = [each for each in rescue["env"] if each not in plain["env"]]
    assert {each["name"]: each.get("value") for each in changed} == rescue_environment(
        manifests.RESCUE_DIR
    )
    assert len({each["name"] for each in rescue["env"]}) == len(rescue["env"])


def test_where_no_home_is_kept_there_is_nothing_to_look_at() -> None:
    pod = manifests.pod(replace(a_spec(), home=None), SiteConfig())
    assert pod["spec"]["containers"][0]["args"][:2] == ["jupyter", "lab"]
