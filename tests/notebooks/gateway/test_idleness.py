"""What the gateway asks of servers that may be idle, and what it makes of the answers."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from aiohttp import web

from notebooks.gateway import idleness
from notebooks.gateway.contract import Probe, Probed
from notebooks.gateway.idleness import Idleness
from notebooks.gateway.upstream import Pool
from tests.notebooks.gateway.authority import MemoryAuthority

LONG_AGO = "2026-01-02T03:04:05.000000Z"
THEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Jupyter:
    """Answers as it is told to, to who has the run's token."""

    def __init__(self) -> None:
        self.kernels: object = []
        self.terminals: object = []
        self.address = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers["Authorization"] != "token the-run's-token":
            return web.Response(status=403)
        said = {"/s/1/api/kernels": self.kernels, "/s/1/api/terminals": self.terminals}[
            request.path
        ]
        if isinstance(said, int):
            return web.Response(status=said)
        return web.Response(text=said) if isinstance(said, str) else web.json_response(said)


@pytest.fixture
async def jupyter() -> AsyncIterator[Jupyter]:
    stub = Jupyter()
    with TemporaryDirectory(prefix="gw") as folder:
        runner = web.ServerRunner(web.Server(stub.handle))
        await runner.setup()
        path = str(Path(folder) / "j.sock")
        await web.UnixSite(runner, path).start()
        stub.address = f"unix:{path}"
        yield stub
        await runner.cleanup()


async def asked(authority: MemoryAuthority, address: str, token: str = "the-run's-token") -> Probed:
    probe = Probe(session_id=uuid4(), run_id=uuid4(), address=address, base="/s/1/", token=token)
    authority.to_probe = [probe]
    pool = Pool()
    await Idleness(authority, pool).look()
    pool.close()
    (probed,) = authority.probed
    assert (probed.session_id, probed.run_id) == (probe.session_id, probe.run_id)
    return probed


async def test_nobody_is_asked_while_none_is_due(authority: MemoryAuthority) -> None:
    await Idleness(authority, Pool()).look()
    assert authority.asked == ["due_probes"]


async def test_a_server_without_kernels_and_terminals_is_idle(
    authority: MemoryAuthority, jupyter: Jupyter
) -> None:
    probed = await asked(authority, jupyter.address)
    assert (probed.kernel_at, probed.terminal_at, probed.failure) == (None, None, "")


async def test_a_kernel_that_is_busy_is_something_that_happens_now(
    authority: MemoryAuthority, jupyter: Jupyter
) -> None:
    jupyter.kernels = [
        {"execution_state": "idle", "last_activity": LONG_AGO},
        {"execution_state": "busy", "last_activity": LONG_AGO},
    ]
    probed = await asked(authority, jupyter.address)
    assert probed.kernel_at == probed.asked_at


async def test_of_what_is_idle_it_counts_when_it_last_was_not(
    authority: MemoryAuthority, jupyter: Jupyter
) -> None:
    jupyter.kernels = [{"execution_state": "idle", "last_activity": LONG_AGO}]
    jupyter.terminals = [{"name": "1", "last_activity": "2026-01-02T03:04:06Z"}]
    probed = await asked(authority, jupyter.address)
    assert (probed.kernel_at, probed.terminal_at) == (THEN, THEN + timedelta(seconds=1))


async def test_nothing_happens_in_the_future(authority: MemoryAuthority, jupyter: Jupyter) -> None:
    jupyter.terminals = [{"name": "1", "last_activity": "2099-01-01T00:00:00Z"}]
    probed = await asked(authority, jupyter.address)
    assert probed.terminal_at == probed.asked_at


async def test_a_server_may_lack_terminals(authority: MemoryAuthority, jupyter: Jupyter) -> None:
    jupyter.terminals = 404
    probed = await asked(authority, jupyter.address)
    assert (probed.terminal_at, probed.failure) == (None, "")


@pytest.mark.parametrize(
    ("kernels", "failure"),
    [
        (403, "Jupyter answered api/kernels with 403."),
        (404, "Jupyter answered api/kernels with 404."),
        (302, "Jupyter answered api/kernels with 302."),
        ("<html>", "Jupyter did not answer api/kernels with a list."),
        ({}, "Jupyter did not answer api/kernels with a list."),
        ([1], "Jupyter did not say when something last happened."),
        ([{}], "Jupyter did not say when something last happened."),
        ([{"last_activity": "x"}], "Jupyter did not say when something last happened."),
        ("[" + " " * 2**20, "Jupyter said too much of api/kernels."),
    ],
)
async def test_what_makes_no_sense_is_that_it_is_not_known(
    authority: MemoryAuthority, jupyter: Jupyter, kernels: object, failure: str
) -> None:
    jupyter.kernels = kernels
    probed = await asked(authority, jupyter.address)
    assert (probed.failure, probed.kernel_at) == (failure, None)


async def test_a_server_that_forbids_it_is_not_known(
    authority: MemoryAuthority, jupyter: Jupyter
) -> None:
    probed = await asked(authority, jupyter.address, token="another")
    assert probed.failure == "Jupyter answered api/kernels with 403."


async def test_a_server_that_is_not_there_is_not_known(authority: MemoryAuthority) -> None:
    probed = await asked(authority, "unix:/nowhere")
    assert probed.failure == "Jupyter did not answer whether something happens in it."


async def test_the_gateway_goes_on_without_its_source(authority: MemoryAuthority) -> None:
    authority.down = True
    await Idleness(authority, Pool()).look()
    assert authority.probed == []
    assert idleness.LOOK_SECONDS == 5
