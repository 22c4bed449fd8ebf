"""A git server over ssh on loopback, for tests."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import asyncssh

from tests.git_server import GIT


@dataclass(kw_only=True)
class SshServer:
    """Serves the repositories of `folder` to the key `client_key`. `asked` has the commands."""

    folder: Path
    port: int = 0
    host_key: asyncssh.SSHKey
    client_key: asyncssh.SSHKey
    asked: list[str] = field(default_factory=list)

    @property
    def known_hosts(self) -> str:
        return f"[127.0.0.1]:{self.port} {self.host_key.export_public_key().decode()}"

    @property
    def private_key(self) -> str:
        return self.client_key.export_private_key().decode()

    def url(self, path: str) -> str:
        return f"ssh://git@127.0.0.1:{self.port}/{path}"


@contextmanager
def ssh_server(folder: Path) -> Iterator[SshServer]:
    """Serve for as long as the context lasts."""
    server = SshServer(
        folder=folder,
        host_key=asyncssh.generate_private_key("ssh-ed25519"),
        client_key=asyncssh.generate_private_key("ssh-ed25519"),
    )
    up = Event()
    ends: list[Callable[[], object]] = []

    async def serve() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        ends.append(lambda: loop.call_soon_threadsafe(over.set))
        authorized = asyncssh.import_authorized_keys(server.client_key.export_public_key().decode())
        listener = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[server.host_key],
            authorized_client_keys=authorized,
            process_factory=lambda process: _answer(server, process),
            encoding=None,
        )
        server.port = listener.get_port()
        up.set()
        await over.wait()
        listener.close()
        await listener.wait_closed()

    thread = Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert up.wait(30)
        yield server
    finally:
        for end in ends:
            end()
        thread.join()


async def _answer(server: SshServer, process: asyncssh.SSHServerProcess[bytes]) -> None:
    command = process.command or ""
    server.asked.append(command)
    program, _, path = command.partition(" ")
    if program != "git-upload-pack":
        process.exit(1)
        return
    git = await asyncio.create_subprocess_exec(
        *("git", "upload-pack", str(server.folder / path.strip("'/"))),
        env=GIT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    asking = asyncio.create_task(_pass_on(process.stdin, git.stdin))
    await asyncio.gather(_pass_on(git.stdout, process.stdout), _pass_on(git.stderr, process.stderr))
    asking.cancel()
    process.exit(await git.wait())


async def _pass_on(source: Any, target: Any) -> None:
    while data := await source.read(64 * 1024):
        target.write(data)
        await target.drain()
