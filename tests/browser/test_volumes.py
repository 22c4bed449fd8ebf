"""A volume's way from its first page to the trash and back, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.stack.service import Program, Service

pytestmark = [pytest.mark.browser, pytest.mark.jupyter, pytest.mark.timeout(180)]

LAUNCH = 60_000


def test_a_volume_is_made_attached_deleted_and_brought_back(page: Page, service: Service) -> None:
    page.get_by_role("link", name="Volumes").click()
    page.wait_for_url("**/volumes")
    page.get_by_role("link", name="New volume").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("data sets")
    dialog.get_by_label("Size in GiB").fill("1")
    dialog.get_by_role("button", name="Create volume").click()
    expect(page.get_by_role("heading", name="data sets")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("ready", timeout=LAUNCH)
    volume = page.url

    page.get_by_role("link", name="New session with it").click()
    expect(page.get_by_role("complementary")).to_contain_text("home, data sets")
    expect(page.get_by_label("Path in the home").first).to_have_value("data-sets")
    page.get_by_label("Name").fill("with volumes")
    page.get_by_role("button", name="Launch").click()
    page.wait_for_url("**/lab**", timeout=LAUNCH)
    folder = page.locator(".jp-DirListing-item[title*='data-sets']")
    expect(folder).to_be_visible(timeout=LAUNCH)

    # What one session has cannot be deleted; the page says which.
    page.goto(volume)
    page.get_by_role("link", name="Delete").click()
    expect(dialog).to_contain_text("“with volumes” has it now")
    dialog.get_by_role("link", name="Go to “with volumes”").click()
    expect(page.get_by_role("main")).to_contain_text("data sets at data-sets")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Start")).to_be_visible(timeout=LAUNCH)

    page.goto(volume)
    page.get_by_role("link", name="Delete").click()
    expect(dialog).to_contain_text("It can be brought back for 7 days")
    dialog.get_by_label("Type its name to delete it").fill("data sets")
    dialog.get_by_role("button", name="Delete volume").click()
    expect(page.get_by_role("region", name="Trash")).to_contain_text("data sets")

    page.get_by_role("button", name="Restore data sets").click()
    expect(page).to_have_url(volume)
    expect(page.get_by_role("main")).to_contain_text("with volumes")

    demo = Program(service)
    [session] = demo.api("GET", "sessions/?name=with volumes").json()["results"]
    demo.delete(session["id"])


def test_a_volume_in_a_row_that_was_added_is_in_the_summary(page: Page) -> None:
    page.goto("/volumes/new")
    page.get_by_label("Name").fill("more")
    page.get_by_role("button", name="Create volume").click()
    expect(page.get_by_role("heading", name="more")).to_be_visible()

    page.goto("/sessions/new")
    page.locator("summary", has_text=re.compile("^Volumes")).click()
    page.get_by_role("button", name="Add a volume").click()
    rows = page.locator("#volumes [data-row]")
    expect(rows).to_have_count(2)
    rows.last.get_by_label("Volume").select_option(label="more · 10 GiB")
    expect(page.get_by_role("complementary")).to_contain_text("home, more")
