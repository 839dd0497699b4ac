"""A loaded JupyterLab that one test leaves to the next: loading it takes longer than most tests do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Page

from tests.browser.browser import Browser, Guard, forget
from tests.browser.jupyter import JupyterServer
from tests.browser.lab_page import LabPage, Theme

# What a test may leave behind. What JupyterLab has loaded meanwhile, keeps hidden or lets fade is no trace of
# it, nor is what playwright adds when any page calls Python; the theme is chosen by whoever opens a notebook.
AS_IT_IS = """
const attributes = (node) => [...node.attributes].map(({name, value}) => `${name}: ${value}`)
  .filter((text) => !/^(data-jp-theme|style)/.test(text)).sort();
const kept = (storage) => Object.keys(storage).filter((key) => !key.startsWith('@jupyterlab/'));
return {
  globals: Object.getOwnPropertyNames(window)
    .filter((name) => !/^MathJax$|Chunk|^__playwright/.test(name)).sort(),
  stored: [...kept(localStorage), ...kept(sessionStorage)],
  html: attributes(document.documentElement),
  body: attributes(document.body),
  on_top: [...document.body.children].filter((node) => !node.matches('.lm-mod-hidden, #jupyterlab-splash'))
    .map((node) => `${node.tagName}.${node.className}#${node.id}`).sort(),
  around: ['left', 'right', 'down', 'header', 'top', 'bottom'].flatMap((area) =>
    [...app.shell.widgets(area)].map(({id}) => `${area} ${id}`)),
  layout: [app.shell.mode, app.shell.leftCollapsed, app.shell.rightCollapsed],
};
"""
SHOW = """
const [path, id] = given;
const shown = await within('the notebook to open', app.commands.execute(
  'docmanager:open', {path, factory: 'Notebook', kernel: {id}}));
for (const other of [...app.shell.widgets('main')]) if (other !== shown) other.dispose();
"""
# Not while JupyterLab sets up the channels of a kernel: broken off, it raises what nobody catches. It asks
# nobody whether to save; the launcher stays, which JupyterLab puts where nothing else is.
CLOSE = """
await until('the kernel to be set up', () =>
  [...(kernel()?._futures?.values() ?? [])].every(({msg}) => msg.channel !== 'control'));
for (const widget of [...app.shell.widgets('main')]) if (!widget.id.startsWith('launcher')) widget.dispose();
"""


class KeptLabPage(LabPage):
    """A page that opens its first notebook in the JupyterLab that is there, left as it was loaded.

    Each notebook has a kernel of its own, which was started meanwhile. Whoever opens another notebook on the
    same page has JupyterLab loaded anew, as a reader has who comes back.
    """

    def __init__(self, page: Page, server: JupyterServer, *, as_loaded: Any = None) -> None:
        super().__init__(page, server, Guard(page))
        self.as_loaded = as_loaded
        """What the page was like when it was loaded; None where nothing was yet."""
        self.spoiled = False
        """Whether something went wrong here, so that nobody should meet this page again."""

    def open(self, notebook: str | Sequence[str], *, theme: Theme = "light") -> None:
        super().open(notebook, theme=theme)
        self.as_loaded = self.as_loaded or self.script(AS_IT_IS)
        self.server.prepare_kernel()

    def reach(self, path: str) -> None:
        if self.as_loaded is None or len(self.opened) > 1:
            super().reach(path)
        else:
            self.script(SHOW, [path, self.server.take_kernel()])

    def leave(self) -> bool:
        """Close what is open; whether the page is again as it was loaded, so that it can be met again."""
        if self.spoiled or self.as_loaded is None:
            return False
        self.script(CLOSE)
        forget(self.page)
        self.check()
        return bool(self.script(AS_IT_IS) == self.as_loaded)


class Keeper:
    """Hands a page on from one test to the next."""

    def __init__(self, browser: Browser, server: JupyterServer) -> None:
        self._browser = browser
        self._server = server
        self._kept: KeptLabPage | None = None

    def take(self) -> KeptLabPage:
        """A page for one test, 1200 by 900: the one that the last test left, or else a new one."""
        page = self._kept or KeptLabPage(self._browser.page(), self._server)
        self._kept = None
        page.page.bring_to_front()
        page.resize(1200, 900)
        return page

    def give_back(self, page: KeptLabPage) -> None:
        """Keep a page or close it, and end its kernels; raises an AssertionError if it misbehaved at last."""
        can_be_kept = False
        try:
            can_be_kept = page.leave()
        finally:
            page.guard.rest()
            self._server.end_kernels_meanwhile(page.opened)
            if can_be_kept:
                self._kept = KeptLabPage(page.page, self._server, as_loaded=page.as_loaded)
            else:
                self._browser.close(page.page)

    def close(self) -> None:
        """Close the page that is kept."""
        if self._kept is not None:
            self._kept.page.close()
