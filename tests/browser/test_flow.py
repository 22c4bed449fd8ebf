"""A newcomer's way, in a real browser with a real JupyterLab."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import sign_in
from tests.stack.service import Program, Service, running

pytestmark = [pytest.mark.browser, pytest.mark.jupyter, pytest.mark.timeout(180)]

LAUNCH = 60_000


def test_a_newcomer_works_in_a_notebook_and_comes_back_to_it(page: Page) -> None:
    page.get_by_role("link", name="New session").first.click()
    page.get_by_label("Name").fill("first steps")
    page.get_by_role("button", name="Launch").click()

    # The notebook opens by itself in the tab that launched it.
    page.wait_for_url("**/lab**", timeout=LAUNCH)
    assert page.url.startswith("http://localhost:")
    page.locator(".jp-LauncherCard[data-category='Notebook']").first.click(timeout=LAUNCH)
    # Until its kernel is there, a new notebook takes the focus away again.
    expect(page.get_by_role("contentinfo")).to_contain_text("| Idle", timeout=LAUNCH)
    cell = page.locator(".jp-Notebook .jp-Cell .cm-content").first
    cell.click()
    page.keyboard.type("6*7")
    expect(cell).to_have_text("6*7")
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-OutputArea-output").first).to_have_text("42", timeout=LAUNCH)
    page.keyboard.press("Control+s")
    expect(page.locator(".jp-DirListing-item[title*='Untitled.ipynb']")).to_be_visible()

    page.goto("/")
    page.get_by_role("link", name="first steps", exact=True).click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("main")).to_contain_text("stopped", timeout=LAUNCH)
    page.get_by_role("button", name="Start").first.click()

    page.wait_for_url("**/lab**", timeout=LAUNCH)
    item = page.locator(".jp-DirListing-item[title*='Untitled.ipynb']")
    expect(item).to_be_visible(timeout=LAUNCH)


def test_a_change_is_on_the_page_without_a_reload(page: Page, service: Service) -> None:
    demo = Program(service)
    session = demo.start(name="watched")
    page.goto("/")
    row = page.locator(f"#row-{session}")
    expect(row).to_contain_text("running")

    service.jupyters(session)[0].kill()

    expect(row).to_contain_text("failed")
    demo.delete(session)
    expect(row).to_have_count(0)


def test_delete_asks_first(page: Page, service: Service) -> None:
    demo = Program(service)
    session = demo.start(name="<b>precious</b>")
    page.goto(f"/sessions/{session}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("<b>precious</b>")

    _choose_delete(page)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("cannot be undone")
    dialog.get_by_role("button", name="Cancel").or_(
        dialog.get_by_role("link", name="Cancel")
    ).click()
    assert demo.read(session)["status"] == "running"

    _choose_delete(page)
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Sessions", exact=True)).to_be_visible()
    assert demo.api("GET", f"sessions/{session}/").status_code == 404


def _choose_delete(page: Page) -> None:
    page.locator("summary", has_text="More").click()
    page.get_by_role("link", name="Delete").click()


def test_each_session_has_a_name_of_its_own_where_the_setting_asks_for_it(
    chromium: Browser, tmp_path: Path
) -> None:
    with running(tmp_path / "data", SUBMARINE_GATEWAY_SUBDOMAINS="true") as service:
        page = chromium.new_context(base_url=service.url).new_page()
        sign_in(page, service)
        session = Program(service).create()["id"]
        page.goto(f"/sessions/{session}?launched")

        page.wait_for_url(f"http://{session}.localhost:*/lab**", timeout=LAUNCH)

        expect(page.locator(".jp-LauncherCard").first).to_be_visible(timeout=LAUNCH)
        cookies = page.context.cookies()
        assert {cookie["domain"] for cookie in cookies} == {
            "127.0.0.1",
            f"{session}.localhost",
        }
        page.context.close()


def test_a_button_pressed_while_the_page_changes_does_what_it_says(
    page: Page, service: Service
) -> None:
    demo = Program(service)
    session = demo.start(name="busy")
    page.goto(f"/sessions/{session}")
    # A slow line, so that a refresh is under way, and another due, when the button is pressed.
    network = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 300, "downloadThroughput": -1, "uploadThroughput": -1}
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", slow)
    for name in ("busier", "busiest"):
        assert demo.api("PATCH", f"sessions/{session}/", json={"name": name}).ok
        page.wait_for_timeout(150)

    page.get_by_role("button", name="Stop").click()

    expect(page.get_by_role("button", name="Start")).to_be_visible(timeout=LAUNCH)
    expect(page.get_by_role("heading", level=1)).to_have_text("busiest")
    page.goto("/")
    demo.delete(session)


def test_on_a_phone_nothing_is_cut_off_and_nothing_covers_what_is_typed(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/sessions/new?git=https://git.example.com/team/project.git")
    for entry in page.get_by_role("navigation", name="Main").get_by_role("link").all():
        expect(entry).to_be_in_viewport(ratio=1)
    field = page.get_by_label("File to open when it is ready")
    field.focus()
    typed = field.bounding_box()
    summary = page.get_by_role("complementary", name="What you launch").bounding_box()
    assert typed is not None
    assert summary is not None
    assert typed["y"] + typed["height"] <= summary["y"]
    assert summary["height"] < 844 / 6
