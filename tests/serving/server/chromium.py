"""A real browser for the tests of the page."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WAIT_MS = 15_000


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, or the one that Playwright keeps. Where there is none, the tests that ask are skipped."""
    with sync_playwright() as playwright:
        found = next((path for path in map(shutil.which, NAMES) if path), None)
        if found is None and not Path(playwright.chromium.executable_path).exists():
            pytest.skip(
                "THE PAGE IS NOT TESTED: there is no Chromium. Install one, with `apt-get install chromium` or "
                "`playwright install chromium`."
            )
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # which refuses to run as root
        browser = playwright.chromium.launch(executable_path=found, args=sandbox)
        yield browser
        browser.close()


class Visit:
    """One visitor of a server's page, who notes what the browser complains of and whom it asks.

    Attributes:
        page: Playwright's page.
        sent: The JSON bodies that the page sent, with their addresses.
    """

    def __init__(self, browser: Browser, url: str, **context):
        self._context = browser.new_context(**context)
        self._context.set_default_timeout(WAIT_MS)
        self._url = url
        self.page: Page = self._context.new_page()
        self.complaints: list[str] = []
        self.sent: list[tuple[str, dict]] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note)

    def _note(self, request):
        self.asked.append(request.url)
        if request.method == "POST":
            self.sent.append((request.url.removeprefix(self._url), request.post_data_json))

    def open(self, model: str = "", task: str = "") -> Page:
        """Opens the page, with a model and a task chosen."""
        self.page.goto(f"{self._url}/#model={model}&task={task}")
        return self.page

    def run(self, model: str, task: str, text: str, streams: bool = False) -> Page:
        """Opens the page, asks, and returns when the answer is there."""
        page = self.open(model, task)
        if page.locator("#stream").is_visible():
            page.locator("#stream").set_checked(streams)
        page.locator("#text").fill(text)
        page.locator("#run").click()
        page.locator("#answer[aria-busy=false]").wait_for()
        return page

    def close(self, complaints: str = ""):
        """Leaves; fails if the browser complained of anything but `complaints`, or asked anybody but the server."""
        self._context.close()
        assert [text for text in self.complaints if not complaints or complaints not in text] == []
        assert {url for url in self.asked if not url.startswith(f"{self._url}/")} == set()
