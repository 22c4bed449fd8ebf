"""What a data scientist brings along: an environment's file, its packages, and a notebook."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from tests.environments.builder import channel as channels
from tests.environments.builder.indexes import add_wheel, served
from tests.environments.builder.installed import files_of
from tests.git_server import GitServer
from tests.stack.service import Service, signed_in

ENVIRONMENT_YML = """\
name: science
channels:
  - own
dependencies:
  - python=3.11
  - measures
  - pip:
      - frames>=1
"""

CELLS = (
    "import os, sys\nfrom pathlib import Path\nimport frames",
    "[frames.VERSION, Path(sys.prefix, 'share/measures.txt').read_text()]",
    "[os.environ['MODE'], os.environ['SCIENCE_KEY']]",
    "Path(os.environ['SUBMARINE_SECRETS'], 'science.json').read_text()",
)

NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(CELLS)
    ],
    "metadata": {"kernelspec": {"name": "science", "display_name": "science"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}

RESULTS = ["", "['2.0', 'of conda']", "['fast', 'hunter2-variable']", "'hunter2-file'"]
"""Of the cells, with the variable and the secrets that `SETUP` names."""

SETUP = {"variables": {"MODE": "fast"}, "secrets": ["SCIENCE_KEY", "science.json"]}
SECRETS = (
    ("SCIENCE_KEY", "variable", "hunter2-variable"),
    ("science.json", "file", "hunter2-file"),
)


@dataclass(frozen=True, kw_only=True)
class Packages:
    """What the file declares, for a site to install from. Wheels are given out once `wheels` is
    set.
    """

    settings: Mapping[str, str]
    wheels: Event


@contextmanager
def packages(folder: Path, *, host: str, interpreter: str) -> Iterator[Packages]:
    """Serve them, at an address of this machine, to sites where this is the Python."""
    channel = folder / "own"
    channels.add_python(channel, interpreter)
    channels.add_ipykernel(channel, files_of("ipykernel"))
    channels.add_package(channel, "measures", files={"share/measures.txt": b"of conda"})
    channels.index(channel)
    add_wheel(folder, "frames")
    add_wheel(folder, "frames", "2.0")
    wheels = Event()
    with served(folder, host, wheels=wheels) as index:
        settings = {
            "SUBMARINE_BUILD_INDEXES": index,
            "SUBMARINE_ENVIRONMENTS_CHANNELS": index.replace("/simple/", "/own"),
        }
        try:
            yield Packages(settings=settings, wheels=wheels)
        finally:
            wheels.set()


def upload(service: Service, *, image: str = "") -> None:
    """Make an environment of the file, on the page."""
    browser = signed_in(service, "user")
    page = f"{service.url}/environments/new"
    browser.get(page, timeout=30)
    answer = browser.post(
        page,
        data={
            "name": "science",
            "image": image,
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        },
        files={"kernel-0-file": ("environment.yml", ENVIRONMENT_YML)},
        timeout=30,
    )
    assert answer.url == f"{service.url}/environments/science", answer.text


def publish(server: GitServer) -> dict[str, str]:
    """Put the notebook into a repository; what a session is to say to have it in `work/`."""
    server.repository("analysis.git", {"analysis.ipynb": json.dumps(NOTEBOOK)})
    return {"url": server.url("analysis.git"), "folder": "work/analysis"}
