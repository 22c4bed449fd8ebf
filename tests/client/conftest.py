"""A server that plays, and clients of it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from submarine_client import AsyncClient, Client, requests
from tests.client.bad_server import BadServer, playing


@pytest.fixture
def server() -> Iterator[BadServer]:
    with playing() as server:
        yield server


@pytest.fixture
def client(server: BadServer) -> Iterator[Client]:
    with Client(server.url, "subnb_test", timeout=5) as client:
        yield client


Do = Callable[[Callable[[Any], Any]], Any]


@pytest.fixture(params=["sync", "async"])
def do(server: BadServer, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Do:
    """Makes one call with a client of either kind, and gives what comes of it. It asks again soon,
    where nothing else is said.
    """
    monkeypatch.setattr(requests, "_FIRST_PAUSE", 0.01)

    def in_turn(call: Callable[[Any], Any]) -> Any:
        with Client(server.url, "subnb_test", timeout=1) as client:
            made = call(client)
            return list(made) if hasattr(made, "__next__") else made

    async def meanwhile(call: Callable[[Any], Any]) -> Any:
        async with AsyncClient(server.url, "subnb_test", timeout=1) as client:
            made = call(client)
            if hasattr(made, "__anext__"):
                return [each async for each in made]
            return await made

    if request.param == "sync":
        return in_turn
    return lambda call: asyncio.run(meanwhile(call))


Subnb = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def subnb(server: BadServer, tmp_path: Path) -> Subnb:
    """The command, as a program of its own that is signed in to the server."""
    return command(tmp_path / "config", SUBMARINE_URL=server.url, SUBMARINE_TOKEN="subnb_test")


def command(config: Path, program: str = "", **environment: str) -> Subnb:
    """Runs `subnb` with nothing around it but this."""
    found = program or str(Path(sys.executable).with_name("subnb"))
    env = {"PATH": os.environ["PATH"], "XDG_CONFIG_HOME": str(config), "HOME": str(config)}

    def run(
        *words: str, typed: str = "", before: tuple[str, ...] = ()
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*before, found, *words],
            env={**env, **environment},
            input=typed,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    return run
