"""An operator who has never seen the product: sets a group's limit, finds out why somebody was
refused, and grants what they ask for.
"""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import run_inside, sign_in
from tests.stack.service import Program, Service

pytestmark = [pytest.mark.browser, pytest.mark.jupyter, pytest.mark.timeout(180)]

SMALL = {"profile": "small", "environment": "notebook-env"}
PEOPLE = """
from django.contrib.auth.models import Group
from accounts.models import User
olga = User.objects.create_user("olga", password="correct horse battery", is_staff=True)
olga.groups.add(Group.objects.get(name="Operators"))
User.objects.get(username="{demo}").groups.add(Group.objects.create(name="physics"))
"""
ASK = """
from accounts.models import User
from quotas import requests
requests.ask(user=User.objects.get(username="{demo}"), resource="sessions", amount=4, until=None,
    why="Two notebooks beside the one that trains.")
"""


def look(page: Page, name: str) -> None:
    """Keep what the page looks like, where somebody wants to see it."""
    if folder := os.environ.get("SUBMARINE_PICTURES"):
        page.screenshot(path=Path(folder, f"{name}.png"), full_page=True)


def go(page: Page, name: str) -> None:
    """Follow a link of the navigation, whose names begin with those of their icons."""
    page.get_by_role("link", name=re.compile(rf"\b{name}")).first.click()


def choose(page: Page, name: str) -> None:
    """Choose somebody by the first letters of their name."""
    page.locator(".select2-selection:visible").first.click()
    page.locator(".select2-search__field").fill(name[:3])
    page.get_by_role("option", name=name).click()


def test_an_operator_sets_a_limit_finds_a_reason_and_grants_more(
    chromium: Browser, service: Service
) -> None:
    demo = service.users["user"]["name"]
    run_inside(service, PEOPLE.format(demo=demo))
    context = chromium.new_context(base_url=service.url, viewport={"width": 1360, "height": 800})
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    service.users["operator"] = {"name": "olga", "password": "correct horse battery"}
    sign_in(page, service, role="operator")

    # Sets the limit of a group, after a look at what would come of it.
    page.goto("/admin/")
    expect(page.get_by_role("heading", name="Use of the site")).to_be_visible()
    look(page, "1-start")
    go(page, "Groups")
    page.get_by_role("link", name="physics").click()
    look(page, "2-group")
    go(page, "Limits")
    page.get_by_role("link", name=re.compile("Add limit")).first.click()
    page.get_by_label("Scope").select_option(label="each member of a group")
    choose(page, "physics")
    page.get_by_label("Resource").select_option(label="sessions")
    page.get_by_label("Amount").fill("some")
    page.get_by_role("button", name="Check who would be over").click()
    said = page.get_by_role("status").last
    expect(said).to_contain_text("A whole number is needed")
    page.get_by_label("Amount").fill("1")
    page.get_by_role("button", name="Check who would be over").click()
    expect(said).to_contain_text("Nobody would be over.")
    look(page, "3-limit")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("body")).to_contain_text("each member of physics")
    look(page, "4-limits")

    # Finds out why somebody was refused.
    program = Program(service)
    program.create(name="training")
    refused = program.api("POST", "sessions/", json={**SMALL, "name": "more"})
    assert refused.status_code == 409
    go(page, "Why may they")
    choose(page, demo)
    page.get_by_label("Size").select_option(label="Small")
    page.get_by_role("button", name="Look").click()
    main = page.locator("body")
    expect(main).to_contain_text(f"{demo} cannot start Small now")
    expect(main).to_contain_text("each member of physics: 1 session")
    expect(main).to_contain_text("training")
    look(page, "5-why")

    # Grants what they ask for.
    run_inside(service, ASK.format(demo=demo))
    go(page, "Requests")
    look(page, "6-requests")
    page.get_by_role("link", name=demo).click()
    expect(main).to_contain_text("Two notebooks beside the one that trains.")
    expect(main).to_contain_text("1 of 1 session")
    page.get_by_label("Amount").fill("3")
    page.get_by_label("Your word to them").fill("Three, as for the others.")
    look(page, "7-decide")
    page.get_by_role("button", name="Grant").click()
    expect(page.get_by_text(f"Granted {demo} 3 sessions.")).to_be_visible()
    assert program.create(name="more")["status"] == "requested"

    go(page, "Users")
    expect(main).to_contain_text("2 of 3 sessions")
    look(page, "8-users")
    go(page, "Reports")
    look(page, "9-reports")
    context.close()
    assert faults == []
