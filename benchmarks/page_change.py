"""How soon an open page shows that a session changed.

    .venv/bin/python -m benchmarks.page_change --rounds 10

Starts the whole service and Chromium. Each round kills the Jupyter server of a running session and
measures until the row on the home page reads `failed`; then starts it again and measures from the
database's own time of the change to `running` until the row reads so.
"""

import statistics
import tempfile
import time
from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path

from playwright.sync_api import Locator, expect, sync_playwright

from tests.browser.conftest import CHROMIUM_FLAGS, sign_in
from tests.stack.service import Program, running


def _shown(row: Locator, state: str) -> float:
    """The time at which the row reads `state`."""
    expect(row).to_contain_text(state, timeout=30_000)
    return time.time()


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    failed: list[float] = []
    started: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder, "data")) as service,
        sync_playwright() as playwright,
    ):
        program = Program(service)
        session = program.start()
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=CHROMIUM_FLAGS
        )
        page = browser.new_context(base_url=service.url).new_page()
        sign_in(page, service)
        row = page.locator(f"#row-{session}")
        for _ in range(rounds):
            _shown(row, "running")
            killed = time.time()
            service.jupyters(session)[0].kill()
            failed.append(_shown(row, "failed") - killed)
            program.verb(session, "start")
            seen = _shown(row, "running")
            changed = program.read(session)["status_changed_at"]
            started.append(seen - datetime.fromisoformat(changed).timestamp())
        browser.close()
    for what, times in (("killed → failed", failed), ("running → shown", started)):
        print(f"{what}: median {statistics.median(times):.2f} s, slowest {max(times):.2f} s")


if __name__ == "__main__":
    main()
