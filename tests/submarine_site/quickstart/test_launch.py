import os
import subprocess
import sys
from pathlib import Path

import pytest

from submarine_site.quickstart.supervisor import LAUNCHER

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


def launched(*command: str, parent: int | None = None, user: int = -1) -> str:
    words = (str(parent or os.getpid()), "9", str(user), *command)
    done = subprocess.run(
        (sys.executable, "-I", "-S", str(LAUNCHER), *words),
        capture_output=True,
        text=True,
        check=False,
    )
    return f"{done.stdout}{done.stderr}{done.returncode}"


def python(source: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", source, *arguments)


def test_the_command_takes_the_launchers_place() -> None:
    assert launched("/bin/echo", "a  b") == "a  b\n0"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tell")
def test_a_command_whose_parent_is_gone_is_not_started() -> None:
    assert launched("/bin/echo", parent=1) == "143"


@as_root
def test_root_becomes_another_user_altogether() -> None:
    source = "import os; print(os.getresuid(), os.getresgid(), os.getgroups())"
    ids = (NOBODY,) * 3
    assert launched(*python(source), user=NOBODY) == f"{ids} {ids} []\n0"


@as_root
def test_the_other_user_reads_and_runs_what_only_root_may(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "true").symlink_to("/bin/true")
    source = (
        "import os, subprocess, sys;"
        "print(os.access(sys.argv[1], os.X_OK), subprocess.call(sys.argv[1:]))"
    )
    path = str(closed / "true")
    assert launched(*python(source, path), user=NOBODY) == "True 0\n0"


@as_root
def test_the_other_user_may_do_nothing_else_of_roots() -> None:
    source = "import os; os.setuid(0)"
    assert "Operation not permitted" in launched(*python(source), user=NOBODY)


@as_root
def test_where_root_may_not_become_another_user_one_line_says_so() -> None:
    code = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
    words = (str(os.getpid()), "9", str(NOBODY), "/bin/postgres")
    command = (sys.executable, "-I", "-S", str(LAUNCHER), *words)
    bare = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", *python(code, *command))
    done = subprocess.run(bare, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("postgres does not run as root, and no other user can be used")
    assert done.stderr.count("\n") == 1
