"""Hints from the shims that a run has changed: datagrams to one socket that the watcher binds."""

import secrets
import socket
from collections.abc import Generator
from pathlib import Path
from uuid import UUID

from notebooks.backends.contract import RunKey
from notebooks.backends.local.runs import private_folder

# How long hints are lost after the socket's file was removed.
CHECK_INTERVAL = 1.0
MESSAGE_LIMIT = 256


def watch(path: Path) -> Generator[RunKey | None, None, None]:
    """Yield the keys that shims send to `path`, and None now and then. The one who came last gets
    them; when that one is gone, the one before takes its place again.
    """
    while True:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            _take(path, receiver)
            receiver.settimeout(CHECK_INTERVAL)
            while True:
                try:
                    message = receiver.recv(MESSAGE_LIMIT)
                except TimeoutError:
                    if not _is_served(path):
                        break
                    yield None
                    continue
                if key := _key(message):
                    yield key


def _key(message: bytes) -> RunKey | None:
    """None for what no shim sent: notebooks run as the same user, and could."""
    try:
        session_id, run_id = map(UUID, message.decode().split())
    except ValueError:
        return None
    return RunKey(session_id, run_id)


def _take(path: Path, receiver: socket.socket) -> None:
    """Put the socket in the place of what is there, so that at no moment nothing is."""
    private_folder(path.parent)
    new = path.with_name(f"{secrets.token_hex(6)}.sock")
    receiver.bind(str(new))
    new.rename(path)


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
