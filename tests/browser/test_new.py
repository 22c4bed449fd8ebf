"""The form for a new session says what fits, and what would have to stop for it."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import run_inside
from tests.stack.service import Program, Service, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

LIMIT = """
from quotas.models import Limit
Limit.objects.create(resource="sessions", amount=1)
"""


def test_what_is_in_the_way_is_stopped_from_the_form(page: Page, service: Service) -> None:
    run_inside(service, LIMIT)
    program = Program(service)
    session = str(program.create(name="training")["id"])
    wait_until(lambda: program.read(session)["status"] == "running")

    page.goto("/sessions/new")
    launch = page.get_by_role("button", name="Launch")
    expect(launch).to_be_disabled()
    expect(page.locator("#why-not")).to_have_text(
        "This needs 1 session; you may have 1 session, with 1 session in use."
    )
    page.get_by_label("Name").fill("typed before")
    page.get_by_role("button", name="Stop “training”").first.click()
    assert program.read(session)["status"] == "running"
    page.get_by_role("button", name="Stop it").click()

    # The card follows by itself when it is gone.
    expect(launch).to_be_enabled(timeout=30_000)
    assert program.read(session)["status"] == "stopped"
    expect(page.get_by_label("Name")).to_have_value("typed before")
    expect(page.locator("#why-not")).to_be_hidden()
    launch.click()
    expect(page.get_by_role("heading", name="typed before")).to_be_visible()
