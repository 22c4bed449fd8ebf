import asyncio
import io
import os
import pty
from contextlib import suppress

import pytest

from submarine_site.quickstart.console import LONGEST_LINE, Console


def _write(descriptor: int, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


async def copied(data: bytes) -> str:
    stream = io.StringIO()
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        writer = asyncio.create_task(asyncio.to_thread(_write, writing, data))
        await Console(stream, width=5).copy("web", pipe)
        await writer
    return stream.getvalue()


async def test_each_line_carries_the_name_of_its_process() -> None:
    assert await copied(b"one\ntwo\n") == "web   | one\nweb   | two\n"


async def test_a_line_without_an_end_is_written_when_the_process_ends() -> None:
    assert await copied(b"one\r\ntwo") == "web   | one\nweb   | two\n"


async def test_bytes_that_are_not_text_are_written_as_well_as_can_be() -> None:
    assert await copied(b"caf\xe9\n") == "web   | caf\ufffd\n"


async def test_a_line_without_an_end_is_not_collected_for_ever() -> None:
    length = 5 * LONGEST_LINE
    text = await copied(b"x" * length)
    lines = text.splitlines()
    assert len(lines) > 1
    assert text.count("x") == length


def written_to_a_terminal() -> str:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        Console(terminal, width=3).line("web", "one")
        text = os.read(ours, 1000).decode()
    os.close(ours)
    return text


def test_names_are_coloured_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert written_to_a_terminal() == "\x1b[36mweb |\x1b[0m one\r\n"


def test_no_colours_where_the_user_wants_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert written_to_a_terminal() == "web | one\r\n"


def test_a_reader_that_went_away_stops_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    console = Console(stream, width=3)
    console.block("one")
    console.block("two")
    with suppress(BrokenPipeError):  # What could not be written is tried again.
        stream.close()
