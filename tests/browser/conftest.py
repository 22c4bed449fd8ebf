"""A running service, and Chromium to look at it with."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.stack.service import CHECKOUT, Service, running

# What a browser in a closed network must not try, and what root needs.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("browser") / "data") as service:
        yield service


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Chromium as the system has it; without one there is nothing to test with."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None and "SUBMARINE_ALL_TIERS" not in os.environ:
        pytest.skip("there is no Chromium here")
    assert found is not None, "every tier was asked for, and there is no Chromium here"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, service: Service) -> Iterator[Page]:
    """A page of the demo user's, signed in; no script error and no CSP violation may happen."""
    context = chromium.new_context(base_url=service.url)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda message: faults.append(message.text) if message.type == "error" else None,
    )
    sign_in(page, service)
    yield page
    context.close()
    assert faults == []


def run_inside(service: Service, program: str) -> None:
    """Run a program where the service's own processes run."""
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-v0", "-c", program],
        cwd=CHECKOUT,
        env=psutil.Process(service.pid("web")).environ(),
        check=True,
        timeout=60,
    )


def sign_in(page: Page, service: Service, *, role: str = "user") -> None:
    user = service.users[role]
    page.goto("/")
    page.get_by_label("Name").fill(user["name"])
    page.get_by_label("Password").fill(user["password"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Sessions", exact=True)).to_be_visible()
