"""What the form of an environment says of a file, in a real browser."""

import pytest
from playwright.sync_api import FilePayload, Page, expect

from environments.files import MAX_BYTES

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

SAID = "The file has 10240 KiB; 256 KiB is the most."


def file(size: int) -> FilePayload:
    return {"name": "environment.yml", "mimeType": "text/yaml", "buffer": b"#" * size}


def test_a_file_that_is_too_large_is_told_before_it_is_sent(page: Page) -> None:
    page.goto("/environments/new")
    page.get_by_label("Name for programs").first.fill("science")
    chosen = page.get_by_label("File", exact=True).first
    chosen.set_input_files(file(10 * 1024**2))
    assert chosen.evaluate("input => input.validationMessage") == SAID
    page.get_by_role("button", name="Create environment").click()
    expect(page.get_by_label("Name for programs").first).to_have_value("science")

    chosen.set_input_files(file(MAX_BYTES))
    assert chosen.evaluate("input => input.validationMessage") == ""
