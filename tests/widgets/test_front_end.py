"""The front end is ES modules; what the browser gets is joined from them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from calamity_lab.widgets import front_end

DECLARED = re.compile(r"^(export )?(?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)
STATEMENT = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
TYPES = "types.js"  # says what the types are, for who reads and for the type checker; nobody imports it
FILES = sorted(path.relative_to(front_end.FOLDER).as_posix() for path in front_end.FOLDER.rglob("*.js"))


def text(name: str) -> str:
    return (front_end.FOLDER / name).read_text(encoding="utf-8")


def test_every_module_is_in_what_a_page_gets_and_all_but_the_pages_own_in_what_a_notebook_gets() -> None:
    page, notebook = front_end.modules("page/page.js"), front_end.modules()
    assert sorted([*page, TYPES]) == FILES
    assert [name for name in page if name not in notebook] == [
        name for name in page if name.startswith("page/")
    ]


@pytest.mark.parametrize("name", FILES)
def test_a_module_stands_behind_all_that_it_imports_and_each_of_these_names_is_exported(name: str) -> None:
    order = front_end.modules(name)
    assert order[-1] == name
    for names, path in front_end.IMPORT.findall(text(name)):
        imported = (Path(name).parent / path).as_posix().replace("page/../", "")
        exported = {found for export, found in DECLARED.findall(text(imported)) if export}
        assert {each.strip() for each in names.split(",") if each.strip()} <= exported


def test_a_name_at_the_top_of_a_module_is_used_once_since_all_modules_share_a_scope() -> None:
    names = Counter(name for file in FILES for _, name in DECLARED.findall(text(file)))
    assert [name for name, times in names.items() if times > 1] == []


def test_what_the_browser_gets_imports_nothing_and_exports_the_face_that_anywidget_wants() -> None:
    for script in (front_end.script(), front_end.script("page/page.js")):
        assert STATEMENT.findall(script) == ["export default { render };"]
        assert not {"/**", "*/"} & set(re.findall(r"/\*\*|\*/", script))


def test_what_the_browser_gets_has_every_declaration() -> None:
    joined = {name for _, name in DECLARED.findall(front_end.script("page/page.js"))}
    assert {name for file in FILES for _, name in DECLARED.findall(text(file))} <= joined


def test_every_sheet_is_in_the_style() -> None:
    sheets = {path.stem for path in front_end.FOLDER.glob("*.css")}
    assert sorted(front_end.SHEETS) == sorted(sheets)
