"""Volumes that a session can only read, for each user who may run the service."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from notebooks.backends.contract import VolumeMount
from notebooks.backends.local.runs import Failure
from tests.contracts.backend_suite import a_spec, a_volume, start_ready, stop
from tests.contracts.eventually import eventually
from tests.notebooks.backends.local.conftest import LocalSite

NOBODY = 65534
CODE = str(Path(__file__).parents[4])
# Imports first: the ordinary user need not be able to read this Python. Whoever changes users is
# no longer seen as the owner of its files in /proc.
AS_USER = """
import ctypes, os, sys
sys.path.insert(0, sys.argv[1])
from notebooks.backends.local.before.read_only import make_read_only
user = int(sys.argv[2])
if user != os.geteuid():
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    ctypes.CDLL(None).prctl(4, 1)
make_read_only([sys.argv[3]])
os.execv("/bin/sh", ["sh", "-c", sys.argv[4]])
"""
WRITE = "echo mine > shared/inner/table; echo mine > shared/new; echo mine > own"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs mount namespaces")


Shell = Callable[[str], str]


@pytest.fixture
def home(folder: Path) -> Path:
    """A home with a folder that is to be read-only."""
    (folder / "home/shared/inner").mkdir(parents=True)
    (folder / "home/shared/inner/table").write_text("ada's\n")
    return folder / "home"


@pytest.fixture(params=["as this user", "as an ordinary user"])
def shell(request: pytest.FixtureRequest, home: Path) -> Shell:
    """Run a command in the home, after that; it gives its errors."""
    user = os.geteuid()
    if request.param == "as an ordinary user" and user == 0:
        user = NOBODY
        home.parent.chmod(0o755)
        for path in (home, *home.rglob("*")):
            os.chown(path, user, user)

    def shell(command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", AS_USER, CODE, str(user), home / "shared", command],
            cwd=home,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.stderr

    return shell


def test_nothing_can_be_written_into_it(shell: Shell, home: Path) -> None:
    assert shell(WRITE).count("Read-only file system") == 2
    assert (home / "shared/inner/table").read_text() == "ada's\n"
    assert [path.name for path in (home / "shared").iterdir()] == ["inner"]
    assert (home / "own").read_text() == "mine\n"


def test_it_is_so_for_the_server_alone(shell: Shell, home: Path) -> None:
    assert shell("true") == ""
    (home / "shared/new").write_text("of another")
    assert str(home) not in Path("/proc/self/mounts").read_text()


def test_the_user_is_who_it_was(shell: Shell, home: Path) -> None:
    shell("id -u > own; stat -c %u shared/inner/table >> own")
    owner = (home / "shared/inner/table").stat().st_uid
    assert (home / "own").stat().st_uid == owner
    assert (home / "own").read_text().split() == [str(owner), str(owner)]


def test_an_ordinary_user_cannot_undo_it(shell: Shell, home: Path) -> None:
    errors = shell(f"umount shared || unshare -Urm umount {home}/shared; {WRITE}")
    if (home / "own").stat().st_uid == 0:
        pytest.skip("root can undo it")
    assert errors.count("Read-only file system") == 2


def test_where_it_cannot_be_done_there_is_no_server(site: LocalSite) -> None:
    spec = a_spec(mounts=(VolumeMount(volume=a_volume(), path="data", read_only=True),))
    site.start(spec)
    run = site.run(spec.key)
    stop(site, spec)
    asked = json.loads((run.folder / "run.json").read_bytes())
    site.backend.delete_volume(spec.mounts[0].volume)
    done = subprocess.run(
        [*asked["argv"][:5], "/bin/echo"], capture_output=True, text=True, timeout=30, check=False
    )
    message = "This machine cannot attach a volume read-only: No such file or directory."
    assert (done.stdout, done.stderr, done.returncode) == ("", f"{message}\n", 1)
    assert run.failed() == Failure(code="mount_read_only_unsupported", message=message)


def test_a_server_with_one_dies_with_its_shim_too(site: LocalSite) -> None:
    spec = start_ready(site, VolumeMount(volume=a_volume(), path="data", read_only=True))
    server = site.server(spec.key)
    site.shim(spec.key).kill()
    eventually(lambda: not server.is_running() or server.status() == "zombie")
