"""The whole service for a benchmark, as `make run` starts it, with its sessions as pods on the
fake nodes.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import aiohttp
import psutil
import psycopg

from benchmarks.cluster.common import LABELS, TOLERATION, Cluster, Load, flood, namespace
from tests.stack.service import CHECKOUT, MARKS, Service, running

PROFILE = "fake"
MAKE_PROFILE = f"""
from quotas.models import ResourceProfile
ResourceProfile.objects.create(
    name="{PROFILE}",
    display_name="Fake",
    cpu_milli=100,
    memory_mib=256,
    node_selector={LABELS},
    tolerations=[{TOLERATION}],
)
"""
MAKE_PEOPLE = """
from django.utils import timezone
from accounts.models import ApiToken, User
from accounts.services import create_token
for number in range({count}):
    person = User.objects.create(username=f"person-{{number}}")
    print(create_token(user=person, name="load").secret)
# Else each start would also note the first use of a token, as none does in daily use.
ApiToken.objects.update(last_used_at=timezone.now())
"""
SESSIONS = """
SELECT session.id::text, session.status, session.reason, run.id::text,
       extract(epoch FROM run.ready_at)::float
FROM notebooks_notebooksession session JOIN notebooks_run run ON run.id = session.current_run_id
"""
COUNTS = "SELECT status, count(*) FROM notebooks_notebooksession GROUP BY status"
STATUS = "SELECT status, reason FROM notebooks_notebooksession WHERE id = %s"
ON_THE_WAY = {"requested", "starting", "running"}
LOOK_SECONDS = 0.25
SHORT_LOOK_SECONDS = 0.003


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the database says of a session."""

    id: str
    status: str
    reason: str
    run_id: str
    ready_at: float | None


@dataclass(frozen=True, kw_only=True)
class Site:
    """The running service, asked as a person's program asks it, and read where that is cheap."""

    service: Service
    place: str
    environment: Mapping[str, str]
    """What the settings of its processes are made from."""
    http: aiohttp.ClientSession
    database: psycopg.Connection
    tokens: Iterator[str]
    """One of each person's: no two sessions are of the same, as no two of JupyterHub's servers."""

    async def create(self) -> str:
        """Ask for the session of one more person; its id."""
        body = {"name": str(uuid4()), "profile": PROFILE, "environment": "notebook-env"}
        headers = {"Authorization": f"Bearer {next(self.tokens)}"}
        async with self.http.post("sessions/", json=body, headers=headers) as answer:
            assert answer.status == 201, await answer.text()
            return str((await answer.json())["id"])

    def rows(self) -> list[Row]:
        """Every session: one query, where the API would be asked for many pages."""
        return [
            Row(id=id_, status=status, reason=reason, run_id=run_id, ready_at=ready_at)
            for id_, status, reason, run_id, ready_at in self.database.execute(SESSIONS)
        ]

    async def until_running(self, session_id: str, *, looks: int = 20_000) -> float:
        """Wait until the row says so; the time at which it did."""
        for _ in range(looks):
            [row] = self.database.execute(STATUS, (session_id,))
            if row[0] == "running":
                return time.time()
            assert row[0] in ON_THE_WAY, row
            await asyncio.sleep(SHORT_LOOK_SECONDS)
        raise TimeoutError(session_id)

    async def launch(self, count: int, *, in_flight: int) -> list[float]:
        """Start so many sessions; when each was recorded as running."""
        ids: list[str] = []

        async def start(_name: str) -> None:
            ids.append(await self.create())

        await flood(map(str, range(count)), start, in_flight=in_flight)
        return await self._running(ids)

    async def _running(self, ids: list[str]) -> list[float]:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            # A count is cheap enough to be asked while the load is on.
            counts: dict[str, int] = dict(self.database.execute(COUNTS).fetchall())
            assert counts.keys() <= ON_THE_WAY, [
                row for row in self.rows() if row.status not in ON_THE_WAY
            ]
            if not counts.keys() - {"running"}:
                break
        ready = {row.id: row.ready_at for row in self.rows() if row.ready_at is not None}
        return [ready[id_] for id_ in ids]

    def programs(self) -> dict[str, psutil.Process]:
        """All that the service consists of."""
        found = {name: psutil.Process(self.service.pid(name)) for name in MARKS}
        known = {process.pid for process in found.values()}
        for process in self.service.supervisor.children():
            if process.pid not in known and "flower" in process.cmdline():
                found["monitor"] = process
        return found


@asynccontextmanager
async def running_site(cluster: Cluster, load: Load) -> AsyncIterator[Site]:
    """Run the service in a namespace of its own."""
    async with namespace(cluster) as place:
        environment = {
            "SUBMARINE_BACKEND": "kubernetes",
            "SUBMARINE_KUBERNETES_NAMESPACE": place,
            # Blank: a home goes with its pod. An empty variable counts as one that is not set.
            "SUBMARINE_KUBERNETES_HOME_SIZE": "1Gi" if load.homes else "0",
        }
        with (
            tempfile.TemporaryDirectory() as folder,
            running(Path(folder, "data"), **environment) as service,
        ):
            try:
                async with _site(service, place, load) as site, asyncio.timeout(load.patience):
                    yield site
            except Exception as error:
                error.add_note(service.data.with_suffix(".log").read_text()[-3000:])
                raise
            finally:
                # The second signal, which follows, hurries it: the namespace goes as a whole.
                service.supervisor.terminate()
                time.sleep(1)  # noqa: ASYNC251, TID251


@asynccontextmanager
async def _site(service: Service, place: str, load: Load) -> AsyncIterator[Site]:
    environment = {**os.environ, **psutil.Process(service.pid("web")).environ()}
    _shell(MAKE_PROFILE, environment)
    secrets = _shell(MAKE_PEOPLE.format(count=load.after), environment).split()
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as database:
        async with aiohttp.ClientSession(
            f"{service.url}/api/v2/",
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=60),
        ) as http:
            yield Site(
                service=service,
                place=place,
                environment=environment,
                http=http,
                database=database,
                tokens=iter(secrets),
            )


def _shell(program: str, environment: Mapping[str, str]) -> str:
    command = (sys.executable, "manage.py", "shell", "-v", "0", "-c", program)
    done = subprocess.run(
        command, cwd=CHECKOUT, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout
