"""What is installed in an environment, to be made packages of."""

import re
from collections.abc import Iterable
from importlib.metadata import Distribution, DistributionFinder, MetadataPathFinder
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NOTEBOOK = Path(__file__).parents[3] / ".venv-notebook/lib/python3.11/site-packages"


def files_of(name: str, site_packages: Path = NOTEBOOK) -> dict[str, bytes]:
    """The files of a distribution and of all that it needs, below `site-packages`."""
    site_packages = site_packages.resolve()
    return {
        str(path.relative_to(site_packages)): path.read_bytes()
        for each in _closure(name, site_packages)
        for path in _files(each, site_packages)
    }


def wheels_of(names: Iterable[str], site_packages: Path, into: Path) -> None:
    """Put each of these distributions, and all that they need, into a folder as a wheel."""
    for name in names:
        for each in _closure(name, site_packages):
            stem = f"{canonicalize_name(each.name).replace('-', '_')}-{each.version}"
            tags = re.findall(r"^Tag: (.+)$", each.read_text("WHEEL") or "", re.MULTILINE)
            with ZipFile(into / f"{stem}-{tags[0]}.whl", "w") as wheel:
                for path in _files(each, site_packages.resolve()):
                    wheel.write(path, path.relative_to(site_packages.resolve()))


def _closure(name: str, site_packages: Path) -> list[Distribution]:
    found: dict[str, Distribution] = {}
    todo = [name]
    while todo:
        each = todo.pop()
        if each in found:
            continue
        context = DistributionFinder.Context(name=each, path=[str(site_packages)])
        found[each] = next(iter(MetadataPathFinder.find_distributions(context)))
        for text in found[each].requires or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                todo.append(needed.name)
    return list(found.values())


def _files(distribution: Distribution, site_packages: Path) -> list[Path]:
    located = [Path(str(each.locate())).resolve() for each in distribution.files or ()]
    return [
        path
        for path in located
        if path.is_relative_to(site_packages) and path.suffix != ".pyc" and path.is_file()
    ]
