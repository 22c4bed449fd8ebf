"""A conda channel in a folder, made by hand: a Python that is there already, and tiny packages."""

import asyncio
import io
import json
import sys
import tarfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from rattler.index import index_fs

PLACEHOLDER = "/placeholder" * 20
EMPTY = sha256(b"").hexdigest()


def add_package(
    channel: Path,
    name: str,
    *,
    version: str = "1.0",
    depends: Sequence[str] = (),
    files: Mapping[str, bytes] | None = None,
    links: Mapping[str, str] | None = None,
    patched: Sequence[str] = (),
    python: bool = False,
) -> None:
    """Put a package into the channel. `patched` files hold `PLACEHOLDER` in place of the prefix;
    `python` packages have their modules in `site-packages/`.
    """
    files, links = files or {}, links or {}
    index: dict[str, Any] = {
        "name": name,
        "version": version,
        "build": "0",
        "build_number": 0,
        "depends": list(depends),
        "subdir": "noarch" if python else "linux-64",
    }
    if python:
        index["noarch"] = "python"
    else:
        index |= {"arch": "x86_64", "platform": "linux"}
    paths = [
        {"_path": path, "path_type": "hardlink", "sha256": sha256(data).hexdigest()}
        | {"size_in_bytes": len(data)}
        | ({"prefix_placeholder": PLACEHOLDER, "file_mode": "text"} if path in patched else {})
        for path, data in files.items()
    ]
    paths += [{"_path": path, "path_type": "softlink", "sha256": EMPTY} for path in links]
    told = {
        "info/index.json": index,
        "info/paths.json": {"paths": paths, "paths_version": 1},
        "info/files": "".join(f"{path}\n" for path in (*files, *links)),
        "info/about.json": {},
    }
    if python:
        told["info/link.json"] = {"noarch": {"type": "python"}, "package_metadata_version": 1}
    folder = channel / index["subdir"]
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / f"{name}-{version}-0.tar.bz2", "w:bz2", compresslevel=1) as archive:
        for path, content in told.items():
            text = content if isinstance(content, str) else json.dumps(content)
            _add(archive, path, text.encode())
        for path, data in files.items():
            _add(archive, path, data)
        for path, target in links.items():
            link = tarfile.TarInfo(path)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)


def add_python(channel: Path, interpreter: str = sys.executable, version: str = "3.11") -> None:
    """A package `python` that makes the prefix an environment of a Python that is there."""
    home = Path(interpreter).resolve()
    add_package(
        channel,
        "python",
        version=f"{version}.0",
        files={
            "pyvenv.cfg": f"home = {home.parent}\n".encode(),
            f"lib/python{version}/site-packages/.keep": b"",
            "bin/prefix": f"#!/bin/sh\necho {PLACEHOLDER}\n".encode(),
        },
        patched=["bin/prefix"],
        links={"bin/python": str(home), "bin/python3": "python", f"bin/python{version}": "python"},
    )


def add_ipykernel(channel: Path, installed: Mapping[str, bytes]) -> None:
    """A package `ipykernel` of what is installed elsewhere."""
    files = {f"site-packages/{path}": data for path, data in installed.items()}
    add_package(channel, "ipykernel", depends=["python"], files=files, python=True)


def index(channel: Path) -> None:
    """Tell what the channel holds."""
    (channel / "noarch").mkdir(exist_ok=True)
    asyncio.run(index_fs(channel))


def _add(archive: tarfile.TarFile, path: str, data: bytes) -> None:
    member = tarfile.TarInfo(path)
    member.size, member.mode = len(data), 0o755 if path.startswith("bin/") else 0o644
    archive.addfile(member, io.BytesIO(data))
