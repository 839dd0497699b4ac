"""Pictures of every view, in both themes and at three widths, for people to look at side by side.

Run as ``make shots``; open ``shots/index.html``. The widgets are those of a real JupyterLab.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path

from playwright.sync_api import Locator

from tests.browser.browser import Browser
from tests.browser.gallery import Gallery
from tests.browser.jupyter import JupyterServer
from tests.browser.lab_page import THEMES

WIDTHS = (640, 900, 1200)
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Every view of calamity_lab</title>
<style>
body {{ margin: 24px; background: #808488; color: #000; font: 15px/1.4 system-ui, sans-serif; }}
h2 {{ margin: 32px 0 8px; font-size: 18px; }}
nav a {{ margin-right: 12px; color: #000; }}
.row {{ display: flex; gap: 12px; align-items: flex-start; margin-bottom: 12px; }}
figure {{ min-width: 0; margin: 0; }}
img {{ display: block; width: 100%; }}
</style>
<h1>Every view</h1><nav>{links}</nav>
{views}</html>
"""


def main(folder: Path) -> None:
    """Take every picture, and write the page that shows them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    taken: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as place, JupyterServer(Path(place)) as server, Browser() as browser:
        page = browser.lab_page(server)
        gallery = Gallery(page)
        for theme in THEMES:
            page.theme(theme)
            for width in WIDTHS:
                gallery.widen(width)
                for name, view in sights(gallery):
                    file = f"{name.lower().replace(' ', '-')}-{theme}-{width}.png"
                    page.screenshot(folder / file, of=view)
                    taken.setdefault(name, []).append(file)
        page.check()
        page.close()
    (folder / "index.html").write_text(index(taken), encoding="utf-8")
    print(f"{sum(map(len, taken.values()))} pictures: open {folder / 'index.html'}")


def sights(gallery: Gallery) -> Iterator[tuple[str, Locator]]:
    """Each view by its name, set up only when it is needed."""
    root = gallery.lab.root
    for tab in gallery.tabs:
        gallery.lab.tab(tab)
        gallery.settle()
        yield f"Composite {tab}", root
    yield from used(gallery, root)
    keys = root.get_by_role("button", name="Keys", exact=True)
    keys.click()
    yield "Composite help", root
    keys.click()
    for name in gallery.singles:
        yield f"Single {name}", gallery.single(name)


def used(gallery: Gallery, root: Locator) -> Iterator[tuple[str, Locator]]:
    """The whole lab while a person uses it."""
    gallery.page.python("lab.select(11)")
    gallery.settle()
    yield "Composite selected event", root
    gallery.page.python("lab.select(3, 9)")
    for name in ("By time", "Show the whole run"):
        press(gallery, root, name)
    yield "Composite selected range by time", root
    for name in ("By time", "Follow the cursor", "Clear the selection"):
        press(gallery, root, name)
    search = root.get_by_role("combobox", name="Search the run")
    search.fill("bob")
    root.get_by_role("listbox", name="Found in the run").get_by_role("option").first.wait_for()
    yield "Composite search", root
    search.fill("")
    search.press("Escape")
    drawer = root.get_by_role("button", name=re.compile("^Next and commands"))
    if drawer.is_visible():
        drawer.click()
        gallery.settle()
        yield "Composite drawer", root
        gallery.page.page.keyboard.press("Escape")
        gallery.settle()


def press(gallery: Gallery, root: Locator, name: str) -> None:
    """Press a button above the lanes; on a narrow page the lanes are a list and have no buttons."""
    tool = root.get_by_role("button", name=name, exact=True)
    if tool.is_visible():
        tool.click()
    gallery.settle()


def index(taken: dict[str, list[str]]) -> str:
    """The page with all pictures: per view one row per theme, with the widths side by side."""
    links = " ".join(f'<a href="#{escape(files[0])}">{escape(name)}</a>' for name, files in taken.items())
    return PAGE.format(links=links, views="\n".join(section(name, files) for name, files in taken.items()))


def section(name: str, files: list[str]) -> str:
    """One view in every theme and width."""
    rows = [files[at : at + len(WIDTHS)] for at in range(0, len(files), len(WIDTHS))]
    shown = "\n".join(f'<div class="row">{"".join(map(figure, row, WIDTHS))}</div>' for row in rows)
    return f'<h2 id="{escape(files[0])}">{escape(name)}</h2>\n{shown}'


def figure(file: str, width: int) -> str:
    """One picture, in its true width."""
    name = escape(file)
    picture = f'<a href="{name}"><img src="{name}" alt="{name}" loading="lazy"></a>'
    return f'<figure style="flex: {width}">{picture}</figure>'


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("shots"))
