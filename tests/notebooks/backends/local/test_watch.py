"""Hints of changes reach the watcher that came last, and the one before it once that is gone."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from notebooks.backends.contract import RunKey
from notebooks.backends.local import watch
from tests.contracts.eventually import eventually
from tests.notebooks.backends.local.conftest import LocalSite


@pytest.fixture(autouse=True)
def _checks_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "CHECK_INTERVAL", 0.05)


@pytest.fixture
def path(site: LocalSite) -> Path:
    return site.folder / "run" / "watch.sock"


def send(path: Path, message: str) -> None:
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(0)
        sender.sendto(message.encode(), str(path))


def hears(keys: Iterator[RunKey | None], path: Path) -> bool:
    """Send a key of its own, again and again, until the watcher has it."""
    sent = RunKey(uuid4(), uuid4())
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(lambda: next(key for key in keys if key == sent))
        while not heard.done():
            send(path, f"{sent.session_id} {sent.run_id}")
            wait([heard], timeout=0.02)
    return heard.result() == sent


def test_the_watcher_that_came_last_hears(path: Path) -> None:
    with closing(watch.watch(path)) as first, closing(watch.watch(path)) as second:
        assert hears(first, path)
        assert hears(second, path)


def test_the_watcher_before_hears_again_when_the_last_is_gone(path: Path) -> None:
    with closing(watch.watch(path)) as first:
        assert hears(first, path)
        with closing(watch.watch(path)) as second:
            assert hears(second, path)
        assert hears(first, path)


def test_a_watcher_hears_again_after_its_socket_was_removed(path: Path) -> None:
    with closing(watch.watch(path)) as keys:
        assert hears(keys, path)
        path.unlink()
        assert hears(keys, path)


def test_a_message_that_no_shim_sends_is_passed_over(path: Path) -> None:
    with closing(watch.watch(path)) as keys:
        assert hears(keys, path)
        for nonsense in ("", "x", "x y", "\N{SNOWMAN}" * 40, f"{uuid4()} {uuid4()} {uuid4()}"):
            send(path, nonsense)
        assert hears(keys, path)


def test_every_step_of_a_run_is_hinted_at(site: LocalSite, path: Path) -> None:
    with closing(watch.watch(path)) as keys:
        assert hears(keys, path)
        spec = site.start_ready()
        assert next(key for key in keys if key == spec.key) == spec.key
        site.backend.stop(spec.key)
        # The hint at the end comes when the end can be seen.
        eventually(lambda: next(keys) == spec.key and site.backend.observe(spec.key) is None)
