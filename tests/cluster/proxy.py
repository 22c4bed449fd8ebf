"""A way to a server that a test can take away: refused, or hanging without a word."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import yaml

SECONDS = 20


class Proxy:
    """Passes TCP on, from an address of this machine. Used from other threads than the one it runs
    in. `target` may be said later than it runs.
    """

    def __init__(self, host: str = "", port: int = 0, *, at: str = "127.0.0.1") -> None:
        self.target = (host, port)
        self._at = at
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._open: set[StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = Thread(target=self._loop.run_forever)
        thread.start()
        try:
            self.restore()
            yield
        finally:
            self.refuse()
            asyncio.run_coroutine_threadsafe(self._cancel(), self._loop).result(SECONDS)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(SECONDS)
            self._loop.close()

    def refuse(self) -> None:
        """Break all connections, and let none be made."""
        asyncio.run_coroutine_threadsafe(self._refuse(), self._loop).result(SECONDS)

    def hang(self) -> None:
        """Keep connections and let new ones be made, but let nothing through."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def restore(self) -> None:
        asyncio.run_coroutine_threadsafe(self._restore(), self._loop).result(SECONDS)

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()

    async def _restore(self) -> None:
        self._flows.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, self._at, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _cancel(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(*self.target)
        self._open |= {writer, there_writer}
        with suppress(OSError):
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
        self._open -= {writer, there_writer}
        for end in (writer, there_writer):
            end.transport.abort()

    async def _pump(self, reader: StreamReader, writer: StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._flows.wait()
            writer.write(data)
            await writer.drain()
        writer.write_eof() if writer.can_write_eof() else writer.close()


@contextmanager
def between(kubeconfig: Path, folder: Path) -> Iterator[tuple[Proxy, Path]]:
    """A proxy before the cluster of a kubeconfig, and a kubeconfig that leads through it."""
    told = yaml.safe_load(kubeconfig.read_text())
    [cluster] = told["clusters"]
    server = urlsplit(cluster["cluster"]["server"])
    proxy = Proxy(str(server.hostname), int(server.port or 443))
    with proxy.running():
        cluster["cluster"]["server"] = f"https://127.0.0.1:{proxy.port}"
        path = folder / "through-proxy.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(told))
        yield proxy, path
