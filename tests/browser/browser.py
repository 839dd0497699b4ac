"""One headless Chromium, and the guard that tells when a page talks to anybody but this machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Error, Page, Playwright, Request, WebSocket, sync_playwright

from scripts.chromium import find_chromium
from tests.browser.jupyter import JupyterServer
from tests.browser.lab_page import LabPage, Watched

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
HERE = {"localhost", "127.0.0.1", "[::1]", "::1"}
WITHOUT_NETWORK = {"about", "blob", "chrome", "data"}


class Guard:
    """Notes what a page must never do: ask anything of another machine, or raise an error nobody catches."""

    def __init__(self, page: Page) -> None:
        self.outside: list[str] = []
        self.errors: list[str] = []
        self._page = page
        page.on("request", self._requested)
        page.on("websocket", self._connected)
        page.on("pageerror", self._raised)

    def check(self) -> None:
        """Raise an AssertionError that names what the page did, if it did."""
        assert not self.outside, f"the page asked another machine for: {', '.join(self.outside)}"
        assert not self.errors, "the page raised:\n" + "\n".join(self.errors)

    def rest(self) -> None:
        """Look no longer: somebody else does."""
        self._page.remove_listener("request", self._requested)
        self._page.remove_listener("websocket", self._connected)
        self._page.remove_listener("pageerror", self._raised)

    def _requested(self, request: Request) -> None:
        self._reached(request.url)

    def _connected(self, socket: WebSocket) -> None:
        self._reached(socket.url)

    def _reached(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in WITHOUT_NETWORK and parts.hostname not in HERE:
            self.outside.append(url)

    def _raised(self, error: Error) -> None:
        self.errors.append(error.stack or error.message)


class Shown(Protocol):
    """What a test shows on a page."""

    @property
    def page(self) -> Page: ...

    @property
    def guard(self) -> Watched: ...

    def check(self) -> None:
        """Raise an AssertionError if the page misbehaved."""


LISTENERS: WeakKeyDictionary[Page, Callable[[Any], Any]] = WeakKeyDictionary()
"""What hears the calls of `python` on each page: a page can be given such a function only once."""


def listen(page: Page, hear: Callable[[Any], Any]) -> None:
    """Have the page's function `python` call this one."""
    if page not in LISTENERS:
        page.expose_function("python", lambda message: LISTENERS[page](message))
    LISTENERS[page] = hear


def forget(page: Page) -> None:
    """Take the mouse off the page, and take back what was said of the reader's wishes."""
    page.mouse.move(-9, -9)
    page.emulate_media(media="null", color_scheme="null", reduced_motion="null", forced_colors="null")


USES = 30
"""How many tests meet a page: what it has kept in memory grows by some 3 MB for each."""


class Browser:
    """A headless Chromium that is already on this machine; pages of one browser share its cache.

    A new page costs half of what a test on it does: a process is started, which compiles and measures what
    others have compiled and measured. So a page that has passed its test is emptied and met by the next test.
    """

    def __init__(self, executable: str | None = None) -> None:
        self._executable = executable
        self._playwright: Playwright | None = None
        self._chromium: Chromium | None = None
        self._context: BrowserContext | None = None
        self._uses: Counter[Page] = Counter()
        self._used: list[Page] = []
        self._left: list[Page] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start Chromium; raises NoChromium, which says what to do, where there is none."""
        executable = self._executable or find_chromium()
        self._playwright = sync_playwright().start()
        self._chromium = self._playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        self._context = self._chromium.new_context()
        # With its last page Chromium would end what it then starts again for the next one.
        self._context.new_page()

    def stop(self) -> None:
        """End Chromium and the process that drives it."""
        if self._chromium is not None:
            self._chromium.close()
        if self._playwright is not None:
            self._playwright.stop()
        self._playwright = self._chromium = self._context = None
        self._used, self._left = [], []

    def page(self, *, width: int = 1200, height: int = 900, apart: bool = False) -> Page:
        """An empty page of this size; one ``apart`` shares nothing with others, such as a clock."""
        if self._context is None or self._chromium is None:
            raise RuntimeError("The browser is not started.")
        if apart:
            page = self._chromium.new_page()
        else:
            page = self._left.pop() if self._left else self._context.new_page()
            self._used.append(page)
            page.bring_to_front()
        page.set_viewport_size({"width": width, "height": height})
        page.set_default_timeout(60_000)
        return page

    def take_back(self, shown: Shown) -> None:
        """Check what a test has shown, and leave its page to the next test, with an empty document."""
        shown.check()
        shown.guard.rest()
        self._uses[shown.page] += 1
        if self._uses[shown.page] == USES:
            self.close(shown.page)
            return
        forget(shown.page)
        shown.page.goto("about:blank")
        self._left.append(shown.page)
        self._go_back(shown.page)

    def close(self, page: Page) -> None:
        """Close a page that was given out."""
        page.close()
        self._go_back(page)

    def _go_back(self, left: Page) -> None:
        """Show the page that was in use before this one: one behind others draws itself seldom."""
        self._used = [page for page in self._used if page is not left and not page.is_closed()]
        if self._used:
            self._used[-1].bring_to_front()

    def lab_page(self, server: JupyterServer, *, width: int = 1200, height: int = 900) -> LabPage:
        """A page for this JupyterLab, guarded from its first request on."""
        page = self.page(width=width, height=height)
        return LabPage(page, server, Guard(page))
