"""The processes of the service as programs of the quickstart, and where they listen."""

import asyncio
import errno
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from submarine_site.quickstart.errors import QuickstartError
from submarine_site.quickstart.supervisor import Program

CHECKOUT = Path(__file__).parents[2]
PAGES_HOST = "127.0.0.1"
# Another name than the pages', though the same machine: cookies do not tell ports apart.
GATEWAY_HOST = "localhost"
LOOPBACK, LOOPBACK_6 = "127.0.0.1", "::1"
PROBE_SECONDS = 0.5
STOP_SESSIONS_SECONDS = 60.0


def listen(port: int, *, purpose: str, variable: str) -> socket.socket:
    """A listening socket, held for as long as the supervisor runs.

    Its processes inherit it: nobody can take the port while one is started again, and who comes
    in the meantime waits instead of being refused.
    """
    try:
        listener = socket.create_server((LOOPBACK, port), backlog=1024)
        _refuse_a_neighbour(port_of(listener))
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "no such port"
        raise QuickstartError(
            f"Port {port}, for {purpose}, cannot be used ({reason}): "
            f"choose another with `make run {variable}=…`."
        ) from None
    # Accepted connections have it from here: uvicorn takes an inherited socket for a Unix one,
    # and leaves out what it sets for TCP.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _refuse_a_neighbour(port: int) -> None:
    """Fail if somebody has the port at IPv6's loopback, where browsers look for localhost first."""
    try:
        socket.create_server((LOOPBACK_6, port), family=socket.AF_INET6).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise


def port_of(listener: socket.socket) -> int:
    """The port it listens on."""
    return int(listener.getsockname()[1])


@dataclass(frozen=True, kw_only=True)
class Site:
    """One service: its folders, its addresses, and what its processes find in their environment."""

    data: Path
    runtime: Path
    pages: socket.socket
    gateway: socket.socket
    database_url: str
    redis_url: str
    secret_key: str

    @property
    def pages_url(self) -> str:
        """Where people begin."""
        return f"http://{PAGES_HOST}:{port_of(self.pages)}"

    @property
    def gateway_url(self) -> str:
        """Where their sessions are."""
        return f"http://{GATEWAY_HOST}:{port_of(self.gateway)}"

    @property
    def environment(self) -> dict[str, str]:
        """What the settings are made from."""
        return {
            "DJANGO_SETTINGS_MODULE": "submarine_site.settings.quickstart",
            "PYTHONUNBUFFERED": "1",
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "SECRET_KEY": self.secret_key,
            "SUBMARINE_PAGES_URL": self.pages_url,
            "SUBMARINE_GATEWAY_URL": self.gateway_url,
            "SUBMARINE_DATA_DIR": str(self.data),
            "SUBMARINE_RUNTIME_DIR": str(self.runtime),
            "SUBMARINE_LOCAL_JUPYTER": str(CHECKOUT / ".venv-notebook/bin/jupyter-lab"),
            "SUBMARINE_FLOWER_SOCKET": str(self.monitor_socket),
        }

    @property
    def monitor_socket(self) -> Path:
        """Open to all by its own mode: that its folder is closed protects it."""
        return self.runtime / "flower.sock"

    def prepare_program(self) -> Program:
        """Bring the database up to date."""
        return self._manage("prepare")

    def stop_sessions_program(self) -> Program:
        """Stop what users left running, while there is a worker to do it."""
        return self._manage("stop_sessions", "--timeout", f"{STOP_SESSIONS_SECONDS / 2:g}")

    def web_program(self) -> Program:
        """The pages, the API and the admin."""
        return self._program(
            "web",
            *("-m", "submarine_site.web", "--fd", str(self.pages.fileno())),
            # No proxy stands before it.
            *("--forwarded-allow-ips", "", "--quiet"),
            listener=self.pages,
            ready=answers(self.pages, "/sign-in"),
        )

    def gateway_program(self) -> Program:
        """The way to the sessions."""
        return self._program(
            "gateway",
            *("-m", "submarine_site.gateway", "--fd", str(self.gateway.fileno())),
            listener=self.gateway,
            ready=answers(self.gateway, "/_submarine/health"),
        )

    def background_programs(self) -> tuple[Program, ...]:
        """What nobody talks to from outside."""
        celery = ("-m", "celery", "--quiet", "-A", "submarine_site.celery")
        return (
            self._program("worker", *celery, "worker", "--concurrency", "4"),
            # Without a file of what was last run: one that a power cut damaged would keep it from
            # starting, and all that is periodic may as well be done anew.
            self._program("beat", *celery, "beat", "--scheduler", "celery.beat:Scheduler"),
            self._program("watcher", "manage.py", "watcher"),
            self._program(
                "monitor",
                *(*celery, "flower"),
                f"--unix_socket={self.monitor_socket}",
                "--url_prefix=/admin/monitor",
            ),
        )

    def _manage(self, command: str, *options: str) -> Program:
        return self._program(command, "manage.py", command, *options)

    def _program(
        self,
        name: str,
        *words: str,
        listener: socket.socket | None = None,
        ready: Callable[[int], Awaitable[None]] | None = None,
    ) -> Program:
        return Program(
            name=name,
            command=(sys.executable, *words),
            environment=self.environment,
            descriptors=() if listener is None else (listener.fileno(),),
            ready=ready,
        )


def answers(listener: socket.socket, path: str) -> Callable[[int], Awaitable[None]]:
    """Wait until a GET of this path is answered with 200.

    The connection is accepted from the start on (see `listen`), so this waits for the answer.
    """
    port = port_of(listener)
    request = f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nConnection: close\r\n\r\n"

    async def wait(_pid: int) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection(LOOPBACK, port)
                writer.write(request.encode())
                words = (await reader.readline()).split()
                writer.close()
            except OSError:
                words = []
            if words[1:2] == [b"%d" % HTTPStatus.OK]:
                return
            await asyncio.sleep(PROBE_SECONDS)

    return wait
