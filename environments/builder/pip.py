"""The pip part of a kernel, by uv: a virtual environment where no conda part made one."""

import re
import sys
from email.parser import HeaderParser
from json import loads
from pathlib import Path
from typing import Any

from environments.builder.commands import Tools
from environments.builder.outcome import BuildFailed, without_credentials

_PINNED = re.compile(r"^([^\s=]+)==(\S+)")
_OPTION = re.compile(r"^\s*-|\s--|[\n\r\\]")
_HASH = re.compile(r"--hash=(\S+)")


def make_environment(tools: Tools, uv: str, prefix: Path) -> None:
    """Make an empty environment of the Python that runs this."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    tools.run(
        f"The environment of Python {python}",
        [uv, "venv", "--quiet", "--no-project", "--python", sys.executable, "--", str(prefix)],
    )


def install(tools: Tools, uv: str, prefix: Path, specs: tuple[str, ...]) -> None:
    # In such a file, lines may also be options.
    if options := [spec for spec in specs if _OPTION.search(spec)]:
        raise BuildFailed("build_failed", f"“{options[0]}” is not a requirement of pip.")
    # Several hundred requirements with markers are longer than a command line may be.
    requirements = prefix.parent / "requirements.txt"
    requirements.write_text("".join(f"{spec}\n" for spec in specs))
    _install(tools, uv, prefix, ["--requirements", str(requirements)])
    requirements.unlink()


def install_locked(tools: Tools, uv: str, prefix: Path, lock: list[dict[str, Any]]) -> None:
    """Install what a lock says, and nothing else; files have to be those that they were."""
    requirements = prefix.parent / "locked.txt"
    requirements.write_text("".join(f"{_requirement(each)}\n" for each in lock))
    _install(tools, uv, prefix, ["--no-deps", "--requirements", str(requirements)])
    requirements.unlink()


def _install(tools: Tools, uv: str, prefix: Path, what: list[str]) -> None:
    python = str(prefix / "bin" / "python")
    tools.run("The installation of pip packages", [uv, "pip", "install", "--python", python, *what])


def distributions(prefix: Path) -> set[Path]:
    """Where what is installed says what it is."""
    return set(prefix.glob("lib/python*/site-packages/*.dist-info"))


def locked(tools: Tools, uv: str, prefix: Path, installed: set[Path]) -> list[dict[str, Any]]:
    """Tell what these distributions are: exact versions, with the hashes of their files."""
    found = sorted(
        (_distribution(folder) for folder in installed), key=lambda each: _normal(each["name"])
    )
    hashes = _hashes(tools, uv, prefix, [each for each in found if "url" not in each])
    return [each | {"hashes": hashes.get(_normal(each["name"]), [])} for each in found]


def _distribution(folder: Path) -> dict[str, Any]:
    told = HeaderParser().parsestr((folder / "METADATA").read_text(errors="replace"))
    direct = folder / "direct_url.json"
    url = {"url": without_credentials(loads(direct.read_text())["url"])} if direct.exists() else {}
    return {"name": told["Name"], "version": told["Version"], **url}


def _hashes(
    tools: Tools, uv: str, prefix: Path, found: list[dict[str, Any]]
) -> dict[str, list[str]]:
    if not found:
        return {}
    said = tools.run(
        "The lock of pip packages",
        [
            *(uv, "pip", "compile", "--quiet", "--no-deps", "--generate-hashes"),
            *("--no-header", "--no-annotate", "--python", str(prefix / "bin" / "python"), "-"),
        ],
        given="\n".join(f"{each['name']}=={each['version']}" for each in found),
        quiet=True,
    )
    hashes: dict[str, list[str]] = {}
    name = ""
    for line in said:
        if pinned := _PINNED.match(line):
            name = _normal(pinned[1])
        hashes.setdefault(name, []).extend(_HASH.findall(line))
    return hashes


def _requirement(distribution: dict[str, Any]) -> str:
    if url := distribution.get("url"):
        return f"{distribution['name']} @ {url}"
    pinned = f"{distribution['name']}=={distribution['version']}"
    return " ".join([pinned, *(f"--hash={each}" for each in distribution["hashes"])])


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
