"""A supervisor to try programs with, and short paths for the sockets."""

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from submarine_site.quickstart.console import Console
from submarine_site.quickstart.folders import runtime_folder
from submarine_site.quickstart.supervisor import Program, Supervisor


@pytest.fixture
def output() -> io.StringIO:
    """What the programs said."""
    return io.StringIO()


@pytest.fixture
async def supervisor(tmp_path: Path, output: io.StringIO) -> Supervisor:
    return Supervisor(
        console=Console(output, width=6),
        folder=tmp_path,
        record=tmp_path / "processes.json",
    )


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., Program]:
    """A program made of a few lines of Python."""

    def make(source: str, **options: object) -> Program:
        command = (sys.executable, "-I", "-S", "-c", source)
        return Program(**{"name": "script", "command": command, **options})  # type: ignore[arg-type]

    return make


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with runtime_folder(tmp_path) as folder:
        yield folder


@pytest.fixture(autouse=True)
def children() -> Iterator[Callable[[], list[psutil.Process]]]:
    """The processes that a test started; whatever it does, none of them may be left."""
    before = psutil.Process().children()

    def started() -> list[psutil.Process]:
        return [child for child in psutil.Process().children() if child not in before]

    yield started
    left = started()
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=5)
    assert left == []
