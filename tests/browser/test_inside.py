"""What JupyterLab shows of the service within a session."""

import re

import psutil
import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.stack.service import Program, Service, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.jupyter, pytest.mark.timeout(180)]

LAUNCH = 60_000
EXAMPLE = "submarine-example.ipynb"


def open_lab(page: Page, session: str) -> None:
    page.goto(f"/sessions/{session}/open")
    page.wait_for_url("**/lab**", timeout=LAUNCH)
    expect(page.locator(".jp-LauncherCard").first).to_be_visible(timeout=LAUNCH)


def limit(service: Service, session: str, *, life: int | None, idle: int | None) -> None:
    url = psutil.Process(service.pid("web")).environ()["DATABASE_URL"]
    with psycopg.connect(url) as database:
        database.execute(
            "UPDATE notebooks_run SET longest_life_minutes = %s, idle_limit_minutes = %s "
            "WHERE session_id = %s",
            [life, idle, session],
        )


def test_the_status_bar_says_how_long_it_goes_on(page: Page, service: Service) -> None:
    demo = Program(service)
    session = demo.start(name="limited")
    limit(service, session, life=72, idle=9)
    open_lab(page, session)

    left = page.get_by_role("contentinfo").get_by_role("link")
    expect(left).to_have_text(re.compile(r"^1 h 1\d min left · stops in 8 min if idle$"))
    assert left.get_attribute("href") == f"{service.url}/sessions/{session}"
    # By itself, and without a limit it is gone.
    limit(service, session, life=72, idle=None)
    expect(left).to_have_text(re.compile(r"^1 h 1\d min left$"), timeout=30_000)
    limit(service, session, life=None, idle=None)
    expect(left).to_be_hidden(timeout=30_000)
    page.goto("about:blank")
    demo.delete(session)


def test_the_example_is_in_the_launcher_and_its_copy_is_kept(page: Page, service: Service) -> None:
    demo = Program(service)
    session = demo.start(name="example")
    open_lab(page, session)
    card = page.get_by_role("button", name="Submarine example")
    card.click()
    expect(page.locator(".jp-Notebook")).to_contain_text("The service from within a session")
    expect(page.get_by_role("contentinfo")).to_contain_text("| Idle", timeout=LAUNCH)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    shown = page.locator(".jp-OutputArea-output")
    expect(shown.first).to_contain_text("<Session 'example' running", timeout=LAUNCH)
    expect(shown.last).to_contain_text(session, timeout=LAUNCH)

    mine = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    body = {"type": "notebook", "format": "json", "content": mine}
    path = "api/contents/submarine-example.ipynb"
    assert demo.jupyter(session, "PUT", path, json=body).status_code == 200
    page.goto(f"/sessions/{session}/open?next=lab%3Freset")
    page.wait_for_url("**/lab**", timeout=LAUNCH)
    card.click(timeout=LAUNCH)
    expect(page.locator(".jp-Notebook")).to_be_visible()
    assert demo.jupyter(session, "GET", path).json()["content"]["cells"] == []
    page.goto("about:blank")
    demo.delete(session)


def test_each_session_has_open_tabs_of_its_own(page: Page, service: Service) -> None:
    demo = Program(service)
    first, second = demo.start(name="first"), demo.start(name="second")
    tabs = "#jp-main-dock-panel .lm-TabBar-tabLabel"
    open_lab(page, first)
    page.get_by_role("button", name="Submarine example").click()
    expect(page.locator(tabs)).to_have_text(["Launcher", EXAMPLE])
    workspace = f"workspaces/{first[-12:]}"
    expect(page).to_have_url(re.compile(f"/lab/{workspace}/tree/{EXAMPLE}$"))
    # Its tabs are saved a moment later.
    wait_until(lambda: EXAMPLE in demo.jupyter(first, "GET", f"lab/api/{workspace}").text)

    # Beside the first one, which stays open: both may have one origin.
    beside = page.context.new_page()
    open_lab(beside, second)
    expect(beside).to_have_url(re.compile(rf"/session/{second}/lab/workspaces/{second[-12:]}$"))
    expect(beside.locator(tabs)).to_have_text(["Launcher"])
    beside.close()

    page.goto("about:blank")
    demo.verb(first, "stop")
    demo.wait_for(first, "stopped")
    demo.verb(first, "start")
    demo.wait_for(first, "running")
    page.goto(f"/sessions/{first}/open")
    expect(page.locator(tabs).filter(has_text=EXAMPLE)).to_be_visible(timeout=LAUNCH)
    page.goto("about:blank")
    demo.delete(first)
    demo.delete(second)
