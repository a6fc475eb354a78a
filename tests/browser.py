"""A real headless Chromium, and what a page does in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ABSENT = "no Chromium here: `make browser` installs Debian's"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the Chromium of this machine."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Seen:
    """What an opened page said and asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    """Console messages and uncaught errors."""
    asked: list[str] = field(default_factory=list)
    """Addresses that were requested after the page itself."""


@contextmanager
def opened(browser: Browser, file: Path, width: int = 1280, **context: Any) -> Iterator[Seen]:
    """Open `file` in a window `width` pixels wide."""
    own = browser.new_context(viewport={"width": width, "height": 900}, **context)
    try:
        page = own.new_page()
        seen = Seen(page)
        page.on("console", lambda message: seen.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: seen.said.append(f"error: {error}"))
        page.on("request", lambda request: seen.asked.append(request.url))
        page.goto(file.as_uri())
        seen.asked.remove(file.as_uri())
        yield seen
    finally:
        own.close()
