"""The terminal that all processes share: whole lines, each with the name of who wrote it."""

import asyncio
import os
from itertools import count
from typing import BinaryIO, TextIO

LONGEST_LINE = 64 * 1024
COLOURS = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)


class Console:
    """Writes lines with a prefix, coloured on a terminal unless NO_COLOR is set."""

    def __init__(self, stream: TextIO, *, width: int) -> None:
        self._stream: TextIO | None = stream
        self._width = width
        self._coloured = stream.isatty() and not os.environ.get("NO_COLOR")
        self._colours: dict[str, int] = {}
        self._next = count()

    def line(self, name: str, text: str) -> None:
        """Write one line in the name of a process."""
        prefix = f"{name:<{self._width}} |"
        if self._coloured:
            if name not in self._colours:
                self._colours[name] = COLOURS[next(self._next) % len(COLOURS)]
            prefix = f"\x1b[{self._colours[name]}m{prefix}\x1b[0m"
        self.block(f"{prefix} {text}")

    def block(self, text: str) -> None:
        """Write text as it is."""
        if self._stream is None:
            return
        try:
            print(text, file=self._stream, flush=True)
        except OSError:
            # The reader has gone (`make run | head`, a closed terminal). The service goes on,
            # and so must the reading of its processes' pipes.
            self._stream = None

    async def copy(self, name: str, pipe: BinaryIO) -> None:
        """Write what a process says, line by line, until it closes its end."""
        source = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(source), pipe
        )
        try:
            rest = b""
            while chunk := await source.read(LONGEST_LINE):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > LONGEST_LINE:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self.line(name, line.decode(errors="replace").rstrip("\r"))
            if rest:
                self.line(name, rest.decode(errors="replace"))
        finally:
            transport.close()
