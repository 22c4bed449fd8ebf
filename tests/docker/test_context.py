"""What the image of the service gets of the checkout, by `.dockerignore`."""

import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
IGNORED, *RULES = [
    line
    for line in (CHECKOUT / ".dockerignore").read_text().splitlines()
    if line and not line.startswith("#")
]
INCLUDED = {rule.removeprefix("!") for rule in RULES if rule.startswith("!")}


def test_nothing_is_included_that_is_not_named() -> None:
    assert IGNORED == "*"


def test_every_package_of_the_service_is_included() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    packages = set(project["tool"]["importlinter"]["root_packages"])
    # What users install is none of it.
    assert packages - {"submarine_client"} <= INCLUDED


def test_what_is_named_is_there() -> None:
    assert {name for name in INCLUDED if not (CHECKOUT / name).exists()} == set()
