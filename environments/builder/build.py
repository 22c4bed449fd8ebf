"""From a request to a complete folder.

<folder>/env                            the environment, made at the path where it is used
<folder>/share/jupyter/kernels/<name>   how Jupyter starts it
<folder>/lock.json                      what was installed, exactly
<folder>/complete.json                  the outcome; its presence says that all of it is there
"""

import fcntl
import json
import math
import os
import re
import shutil
import ssl
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from uv import find_uv_bin

from environments.builder import pip
from environments.builder.commands import Tools, say
from environments.builder.errors import CHANNEL
from environments.builder.outcome import BuildFailed, Outcome
from environments.builder.request import Request, Site

COMPLETE = "complete.json"
LOCK = ".lock"
WORK = ".work"
ENVIRONMENT = "env"
SHARE = "share"
KERNELS = "jupyter/kernels"

_NAME = re.compile(r"^(?:[^:\s]+::)?([A-Za-z0-9._-]+)")


def build(request: Request) -> Outcome:
    """Build, unless it is built. Raises `BuildFailed`."""
    folder = Path(request.folder)
    folder.mkdir(exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        # Another may still be at it: a cluster puts a new pod in the place of one that it ends.
        fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(FileNotFoundError, ValueError):
            return Outcome.of_line((folder / COMPLETE).read_text())
        try:
            return _build(request, folder)
        except (BuildFailed, OSError):
            # It takes room, and is of no use. A folder that is mounted by itself stays.
            with suppress(OSError):
                discard(folder)
            raise


def _build(request: Request, folder: Path) -> Outcome:
    clear(folder)
    work = folder / WORK
    work.mkdir()
    tools = Tools(
        environment=_environment(request.site, work),
        deadline=time.monotonic() + request.site.seconds,
    )
    prefix = folder / ENVIRONMENT
    lock = _install(request, tools, prefix, work)
    say("Compiling Python files.")
    with suppress(BuildFailed):
        # Some packages bring files for other Pythons, which do not compile.
        tools.run(
            "The compilation of Python files",
            [
                *(str(prefix / "bin/python"), "-m", "compileall", "-q", "-j", "0"),
                str(prefix / "lib"),
            ],
            quiet=True,
        )
    _write_kernel(folder, prefix, request)
    (folder / "lock.json").write_text(json.dumps(lock, indent=1))
    _remove(work)
    size = _size(folder)
    if size > request.site.size_bytes:
        raise BuildFailed(
            "build_out_of_disk",
            f"What was installed takes {_mib(size)}; "
            f"{_mib(request.site.size_bytes)} are the most that it may take.",
        )
    _make_read_only(prefix)
    _make_read_only(folder / SHARE)
    outcome = Outcome(outcome="built", size_bytes=size, lock=lock)
    new = folder / f"{COMPLETE}.new"
    new.write_text(outcome.as_line())
    new.rename(folder / COMPLETE)
    return outcome


def clear(folder: Path) -> None:
    """Remove what the folder holds, its marker first, but for the lock."""
    (folder / COMPLETE).unlink(missing_ok=True)
    for each in folder.iterdir():
        if each.name != LOCK:
            _remove(each)


def discard(folder: Path) -> None:
    """Remove the folder, if it is there."""
    if folder.is_dir():
        clear(folder)
        (folder / LOCK).unlink(missing_ok=True)
        folder.rmdir()


def _install(request: Request, tools: Tools, prefix: Path, work: Path) -> dict[str, Any]:
    uv = find_uv_bin()
    conda: list[dict[str, Any]] = []
    request = _with_ipykernel(request)
    if request.conda:
        say(f"Solving {len(request.conda)} conda specifications.")
        found = work / "conda.json"
        # A part of this program, which needs what this one is made of; other tools must not see it.
        own = {**tools.environment, "PYTHONPATH": os.pathsep.join(sys.path)}
        replace(tools, environment=own).run(
            "The installation of conda packages",
            [
                *(sys.executable, "-m", f"{__package__}.conda"),
                *(str(prefix), str(work / "conda"), str(found)),
            ],
            given=request.as_text(),
            source=CHANNEL,
        )
        conda = json.loads(found.read_text())
        if not (prefix / "bin" / "python").exists():
            raise BuildFailed(
                "build_failed", "The conda packages bring no Python. Add “python” to them."
            )
    else:
        say(f"Making an environment of Python {sys.version.split()[0]}.")
        pip.make_environment(tools, uv, prefix)
    of_conda = pip.distributions(prefix)
    if request.lock:
        if request.lock["pip"]:
            pip.install_locked(tools, uv, prefix, request.lock["pip"])
    elif request.pip:
        say(f"Installing {len(request.pip)} pip requirements.")
        pip.install(tools, uv, prefix, request.pip)
    of_pip = pip.distributions(prefix) - of_conda
    return {"conda": conda, "pip": pip.locked(tools, uv, prefix, of_pip)}


def _with_ipykernel(request: Request) -> Request:
    """With what makes it a kernel, where nobody asked for it."""
    names = {
        found[1].lower() for each in (*request.conda, *request.pip) if (found := _NAME.match(each))
    }
    if "ipykernel" in names:
        return request
    if request.conda:
        return replace(request, conda=(*request.conda, "ipykernel"))
    return replace(request, pip=(*request.pip, "ipykernel"))


def _environment(site: Site, work: Path) -> dict[str, str]:
    """What tools know: nothing of this program's own Python, nothing of anybody's configuration."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "UV_", "PIP_", "CONDA_", "VIRTUAL_ENV", "RATTLER_"))
    }
    home = work / "home"
    (work / "tmp").mkdir()
    home.mkdir()
    environment = inherited | {
        "HOME": str(home),
        "TMPDIR": str(work / "tmp"),
        "NO_COLOR": "1",
        "PYTHONNOUSERSITE": "1",
        "UV_CACHE_DIR": str(work / "uv"),
        # The cache is on the same disk, and goes when all is done.
        "UV_LINK_MODE": "hardlink",
        "UV_NO_CONFIG": "1",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        **site.environment,
    }
    if ssl.get_default_verify_paths().cafile:
        # A company's own authority is among what the machine trusts. Where that is nothing, uv's
        # own list has to do.
        environment["UV_SYSTEM_CERTS"] = "1"
    if site.indexes:
        # The default one is asked last.
        environment["UV_INDEX"] = " ".join(site.indexes[:-1])
        environment["UV_DEFAULT_INDEX"] = site.indexes[-1]
    if site.ca:
        environment["SSL_CERT_FILE"] = str(_certificates(site.ca, work))
    return environment


def _certificates(more: str, work: Path) -> Path:
    """One file of all that is trusted: who is given one looks at no other."""
    system = ssl.get_default_verify_paths().cafile
    path = work / "ca.pem"
    path.write_text((Path(system).read_text() if system else "") + "\n" + more)
    return path


def _write_kernel(folder: Path, prefix: Path, request: Request) -> None:
    kernel = folder / SHARE / KERNELS / request.name
    kernel.mkdir(parents=True)
    kind = "CONDA_PREFIX" if request.conda else "VIRTUAL_ENV"
    spec = {
        "argv": [
            *(str(prefix / "bin" / "python"), "-m", "ipykernel_launcher"),
            *("-f", "{connection_file}"),
        ],
        "display_name": request.display_name,
        "language": "python",
        "metadata": {"debugger": True},
        "env": {
            "PATH": f"{prefix / 'bin'}:${{PATH}}",
            kind: str(prefix),
            # The server's own are none of the kernel's; empty is as good as not there.
            "PYTHONHOME": "",
            "PYTHONPATH": "",
            "PYTHONNOUSERSITE": "1",
        },
    }
    (kernel / "kernel.json").write_text(json.dumps(spec, indent=1))


def _size(folder: Path) -> int:
    """What it takes on disk; what has several names counts once."""
    sizes = {}
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            stat = os.lstat(os.path.join(parent, name))  # noqa: PTH118 - many thousands
            sizes[stat.st_dev, stat.st_ino] = stat.st_blocks * 512
    return sum(sizes.values())


def _mib(size: int) -> str:
    return f"{math.ceil(size / 1024**2)} MiB"


def _make_read_only(top: Path) -> None:
    for parent, folders, files in os.walk(top):
        for name in (*folders, *files):
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o555 | 0o444)
    top.chmod(0o555)


def _remove(path: Path) -> None:
    """Remove a file, or a folder that may be read-only. Follows no symlink."""
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return
    path.chmod(0o700)
    for parent, folders, _ in os.walk(path):
        for folder in folders:
            below = Path(parent, folder)
            if not below.is_symlink():
                below.chmod(0o700)
    shutil.rmtree(path)
