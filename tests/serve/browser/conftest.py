"""Chromium, and the page in front of a real server. Run by `make browser`; needs Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.serve.conftest import Running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Route

TIMEOUT_MS = 120_000
"""Long, because the machine may be busy."""
WIDE = {"width": 1280, "height": 860}

Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"], timeout=TIMEOUT_MS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser, server: Running) -> Iterator[Open]:
    """Opens the page, ready to be asked. When the test ends, nothing may have gone wrong in it."""
    trouble: list[str] = []
    contexts = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            trouble.append(message.text)

    def opened(routes: dict[str, Callable[[Route], None]] | None = None, at: Running = server, **settings: Any) -> Page:
        context = browser.new_context(**{"viewport": WIDE, "locale": "en-GB", **settings})
        contexts.append(context)
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        page.on("console", on_console)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        for path, answer in (routes or {}).items():
            page.route(f"{at.url}{path}", answer)
        page.goto(at.url)
        page.wait_for_selector("#model option", state="attached")
        return page

    opened.trouble = trouble  # type: ignore[attr-defined]  # for tests that expect some
    yield opened
    for context in contexts:
        context.close()
    assert trouble == []


def ask(page: Page, question: str) -> None:
    """Ask with the keyboard, and wait for the end."""
    page.fill("#question", question)
    page.press("#question", "Enter")
    page.wait_for_selector("#stop", state="hidden")
