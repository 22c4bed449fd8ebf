"""Takes the pictures of README.md anew, from the real service with real sessions.

.venv/bin/python -m docs.screenshots
"""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from tests.browser.conftest import CHROMIUM_FLAGS, sign_in
from tests.stack.service import Program, Service, running

IMAGES = Path(__file__).parent / "images"
DESK: ViewportSize = {"width": 1200, "height": 700}
WIDE: ViewportSize = {"width": 1440, "height": 700}


def _page(browser: Browser, service: Service, *, role: str = "user", dark: bool = False) -> Page:
    context = browser.new_context(
        base_url=service.url, viewport=DESK, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    sign_in(page, service, role=role)
    return page


def _take(page: Page, name: str, address: str = "") -> None:
    if address:
        page.goto(address)
        page.wait_for_load_state("load")
    page.screenshot(path=IMAGES / f"{name}.png")


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder, "data")) as service,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=CHROMIUM_FLAGS
        )
        demo = Program(service)
        stopped = demo.start(name="thesis")
        failed = demo.start(name="big-join", profile="large")
        demo.start(name="churn-model", profile="medium")
        demo.verb(stopped, "stop")
        service.jupyters(failed)[0].kill()
        demo.wait_for(stopped, "stopped")
        demo.wait_for(failed, "failed")
        light, dark = _page(browser, service), _page(browser, service, dark=True)
        _take(light, "failed", f"/sessions/{failed}")
        _take(dark, "new", "/sessions/new")
        launched = demo.create(name="fraud-model", profile="large")["id"]
        _take(light, "launch", f"/sessions/{launched}")
        _take(light, "home", "/")
        admin = _page(browser, service, role="admin")
        admin.set_viewport_size(WIDE)
        _take(admin, "admin", "/admin/notebooks/notebooksession/")
        demo.wait_for(launched, "running")
        light.goto(f"/sessions/{launched}/open")
        light.locator(".jp-LauncherCard").first.wait_for(timeout=60_000)
        _take(light, "lab")
        browser.close()


if __name__ == "__main__":
    main()
