"""The documentation site in a browser, opened from disk."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.browser import Browser


def test_the_search_of_the_site_works_from_disk_without_a_network(browser: Browser, site: Path) -> None:
    page = browser.page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / "index.html").as_uri())
    page.get_by_role("textbox", name="Search").fill("compensation")
    page.keyboard.press("Enter")
    found = page.locator("#search-results a").filter(has_text="Glossary")  # one result after another
    expect(found.first).to_be_visible()
    assert asked
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    page.close()
