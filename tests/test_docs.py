"""The documentation site: it builds without a warning, its links lead somewhere, and it needs no network."""

from __future__ import annotations

import importlib
import re
import sqlite3
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent
FACES = ("calamity_lab", "calamity_lab.stores", "calamity_lab.testing")
# The attributes with which a page makes a browser ask for something.
ASKS = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}


class Page(HTMLParser):
    """What a page of the site links to, asks for, and has as anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.asked: list[str] = []
        self.anchors = {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in ASKS and ASKS[tag] in given:
            self.asked.append(given[ASKS[tag]])


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html")}


def is_outside(address: str) -> bool:
    return bool(urlsplit(address).netloc) or urlsplit(address).scheme in {"http", "https"}


def test_every_link_of_the_site_leads_to_a_page_and_to_a_place_on_it(pages: dict[Path, Page]) -> None:
    dead = []
    for path, page in pages.items():
        for link in page.links:
            if is_outside(link) or urlsplit(link).scheme == "mailto":
                continue
            parts = urlsplit(link)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            found = target.exists() and (target not in pages or anchor in pages[target].anchors)
            if not found:
                dead.append(f"{path.name}: {link}")
    assert len(pages) > 15
    assert dead == []


def test_no_page_of_the_site_asks_another_machine_for_anything(site: Path, pages: dict[Path, Page]) -> None:
    asked = [(path.name, address) for path, page in pages.items() for address in page.asked]
    styles = [
        (path.name, address)
        for path in site.rglob("*.css")
        for address in re.findall(r"(?:url\(|@import )\s*[\"']?([^\"')]+)", path.read_text(encoding="utf-8"))
    ]
    assert len(asked) > 50
    assert [each for each in (*asked, *styles) if is_outside(each[1])] == []


@pytest.mark.parametrize("face", FACES)
def test_the_reference_has_every_public_name(face: str, pages: dict[Path, Page]) -> None:
    anchors = {anchor for page in pages.values() for anchor in page.anchors}
    described = {anchor.rpartition(".")[2] for anchor in anchors}
    assert set(importlib.import_module(face).__all__) - described == set()


def samples(document: str) -> Iterator[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    yield from re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_the_samples_of_the_guide_to_stores_write_to_the_database_only_by_commit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    module = ModuleType("guide")
    monkeypatch.setitem(sys.modules, "guide", module)
    scope: dict[str, Any] = vars(module)
    for document in ("README.md", "docs/stores.md"):
        for sample in samples(document):
            exec(compile(sample, document, "exec"), scope)
    assert scope["total"] == 1015
    with sqlite3.connect(tmp_path / "bank.db") as connection:
        amounts = connection.execute("SELECT payload->>'amount' FROM events").fetchall()
    assert amounts == [(1000,), (10,), (5,)]  # the last one by `lab.commit()`
