"""`python -m submarine_site.quickstart`: run the whole service until told to stop.

SIGINT, SIGTERM or SIGHUP stop it, sessions first; a second one hurries. Where it cannot run it
says so in one line.
"""

import asyncio
import json
import os
import signal
import sys
from argparse import ArgumentParser
from contextlib import suppress
from pathlib import Path
from socket import socket

from submarine_site.quickstart import secrets
from submarine_site.quickstart.console import Console
from submarine_site.quickstart.errors import QuickstartError
from submarine_site.quickstart.folders import (
    data_folder,
    locked,
    runtime_folder,
    write_private,
)
from submarine_site.quickstart.servers import PostgreSQL, Redis
from submarine_site.quickstart.site import (
    CHECKOUT,
    STOP_SESSIONS_SECONDS,
    Site,
    listen,
)
from submarine_site.quickstart.supervisor import Program, Supervisor

NAME_WIDTH = 13
RULE = "─" * 72
STOPPING = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


async def serve(data: Path, *, pages: socket, gateway: socket) -> None:
    """Run everything, until a signal or a program that does not start ends it."""
    console = Console(sys.stdout, width=NAME_WIDTH)
    supervisor = Supervisor(console=console, folder=CHECKOUT, record=data / "processes.json")
    with suppress(asyncio.CancelledError), runtime_folder(data) as runtime:
        _stop_on_signals(supervisor)
        database_url = os.environ.get("DATABASE_URL", "")
        redis_url = os.environ.get("REDIS_URL", "")
        servers: list[Program] = []
        if not database_url:
            database = PostgreSQL(folder=data / "postgresql", sockets=runtime)
            await database.make_data(supervisor)
            servers.append(database.program())
            database_url = database.url
        if not redis_url:
            redis = Redis(sockets=runtime)
            servers.append(redis.program())
            redis_url = redis.url
        kept = secrets.kept_in(data)
        site = Site(
            data=data,
            runtime=runtime,
            pages=pages,
            gateway=gateway,
            database_url=database_url,
            redis_url=redis_url,
            secret_key=kept.secret_key,
        )
        try:
            async with supervisor.running(*servers):
                await _run_site(site, supervisor, kept.users_json())
        finally:
            # What flower and the watcher leave. Of sessions that live on, the folder stays.
            for socket_left in runtime.glob("*.sock"):
                socket_left.unlink()
            with suppress(OSError):
                runtime.rmdir()


async def _run_site(site: Site, supervisor: Supervisor, users: list[dict[str, str]]) -> None:
    summary = site.data / "quickstart.json"
    summary.unlink(missing_ok=True)
    prepared = await supervisor.complete(site.prepare_program(), given=json.dumps({"users": users}))
    if prepared != 0:
        raise QuickstartError("The database could not be prepared: the lines above say why.")
    # First what somebody waits for, so that it need not share the cores with the rest.
    async with (
        supervisor.running(site.web_program(), site.gateway_program()),
        supervisor.running(*site.background_programs()),
    ):
        try:
            content = {
                "url": site.pages_url,
                "gateway_url": site.gateway_url,
                "users": users,
                "data": str(site.data),
            }
            write_private(summary, json.dumps(content, indent=2))
            supervisor.console.block(_announcement(site, users))
            await asyncio.get_running_loop().create_future()
        finally:
            await supervisor.complete(site.stop_sessions_program(), seconds=STOP_SESSIONS_SECONDS)


def _announcement(site: Site, users: list[dict[str, str]]) -> str:
    who = [f"{user['name']:<8}password  {user['password']}" for user in users]
    rows = (
        ("Open", site.pages_url),
        *zip(("Sign in", *[""] * len(who)), who, strict=False),
        ("Data", f"{site.data}"),
        ("", "the above is in quickstart.json there, for programs"),
        ("Stop", "Ctrl-C"),
    )
    lines = (f"  {label:<10}{text}" for label, text in rows)
    title = "  Submarine Notebooks is running."
    return "\n".join((RULE, title, "", *lines, RULE))


def _stop_on_signals(supervisor: Supervisor) -> None:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()

    def hurry() -> None:
        supervisor.console.block(
            "Stopping at once. Sessions that still run go on, for the next `make run` to find."
        )
        supervisor.hurry()

    def stop() -> None:
        supervisor.console.block("Stopping, sessions first. Press Ctrl-C again to stop at once.")
        for number in STOPPING:
            loop.add_signal_handler(number, hurry)
        task.cancel()

    for number in STOPPING:
        loop.add_signal_handler(number, stop)


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in _leaves(part)]
    return [error]


def main() -> None:
    """Read the options, hold the data folder and the ports, and serve."""
    parser = ArgumentParser(prog="make run", description="Run the whole service here.")
    parser.add_argument("--port", type=int, default=8000, help="of the pages")
    parser.add_argument("--gateway-port", type=int, default=8001, help="of sessions")
    parser.add_argument("--data", type=Path, default=CHECKOUT / "data")
    options = parser.parse_args()
    try:
        data = data_folder(options.data)
        with (
            locked(data) as tell,
            listen(options.port, purpose="the pages", variable="PORT") as pages,
            listen(options.gateway_port, purpose="sessions", variable="GATEWAY_PORT") as gateway,
        ):
            tell(f"http://127.0.0.1:{pages.getsockname()[1]}")
            asyncio.run(serve(data, pages=pages, gateway=gateway))
    except* (QuickstartError, OSError) as group:
        sys.exit(f"make run: {_leaves(group)[0]}")


if __name__ == "__main__":
    main()
