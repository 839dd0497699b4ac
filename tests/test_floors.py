"""Imports point down: the table of floors holds, and the check that says so can fail."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.floors import (
    HOUSE,
    circle,
    faults,
    global_caches,
    imports,
    lines_of,
    modules,
    product_files,
    public_classes,
    rooms,
)

ROOT = Path(__file__).resolve().parents[1]


def house(root: Path, **sources: str) -> Path:
    """A small package, each module given as `floor__part__module="its source"`."""
    package = root / "calamity_lab"
    package.mkdir()
    (package / "__init__.py").touch()
    for name, source in sources.items():
        path = package.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return root


def test_every_import_in_the_package_points_down() -> None:
    assert modules(ROOT), "no module of calamity_lab was found"
    assert not faults(ROOT), "\n".join(faults(ROOT))


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert not circle(ROOT), " -> ".join(circle(ROOT))


def test_a_floor_knows_only_floors_that_stand_before_it_in_the_table() -> None:
    names = list(HOUSE)
    for index, (name, rules) in enumerate(HOUSE.items()):
        assert rules.floors <= set(names[:index]), f"{name} stands above what it may import"


def test_the_house_has_at_most_14_rooms_each_with_a_floor() -> None:
    assert set(rooms(ROOT)) == set(HOUSE)
    assert len(HOUSE) <= 14


def test_the_product_has_at_most_220_files() -> None:
    assert len(product_files(ROOT)) <= 220


def test_the_product_has_at_most_67_375_lines() -> None:
    # Raise the number only after a look for what is said twice: see docs/decisions/0160.
    assert lines_of(product_files(ROOT)) <= 67_375


def test_a_public_class_name_means_one_thing() -> None:
    twice = {name: homes for name, homes in public_classes(ROOT).items() if len(homes) > 1}
    assert not twice, f"name each class for what it is, or make it private: {twice}"


def test_the_readme_shows_the_rooms_in_the_order_of_the_floors() -> None:
    shown = re.findall(r"^\| `(\w+)(?:\.py|/)` \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert shown == list(HOUSE)


@pytest.mark.parametrize(
    ("module", "source", "why"),
    [
        ("kernel__stack", "from calamity_lab.trace.trace import Moment", "kernel must not know trace"),
        ("kernel__stack", "def f():\n    import calamity_lab.lab", "kernel must not know lab"),
        (
            "kernel__stack",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from calamity_lab.views import lanes",
            "kernel must not know views",
        ),
        ("kernel__stack", "import pandas as pd", "kernel must not know the library pandas"),
        ("kernel__stack", "import sqlite3", "kernel must do without sqlite3"),
        ("kernel__stack", "from ..lab import Lab", "kernel must not know lab"),
        ("views__lanes", "from traitlets import Int", "views must not know the library traitlets"),
        ("lab", "from calamity_lab import Stack", "own package's face"),
        ("lab", "import calamity_lab", "own package's face"),
        ("kernel__stack", "from calamity_lab.kernel import Run", "own package's face"),
        ("examples__bank__model", "from calamity_lab.examples.shop import model", "siblings"),
        ("stores__sqlite", "from calamity_lab.stores.overlay import OverlayEventStore", "siblings"),
        ("attic", "import json", "floor 'attic' has no row in the table"),
    ],
)
def test_an_import_that_breaks_the_table_is_named(tmp_path: Path, module: str, source: str, why: str) -> None:
    parts = {"lab": "", "stores__overlay": "", "examples__shop__model": ""}
    root = house(tmp_path, **{**parts, module: source})
    (found,) = faults(root)
    assert why in found
    assert f"{module.split('__')[-1]}.py:" in found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("kernel__stack", "import dataclasses\nfrom rpds import HashTrieMap"),
        ("kernel__stack", "from calamity_lab.errors import Rejected"),
        ("kernel__stack", "from calamity_lab.kernel.identity import Identity"),
        ("examples__bank__model", "from calamity_lab.examples.bank import account"),
        ("lab", "from calamity_lab.widgets.timeline import Timeline"),
    ],
)
def test_an_import_that_points_down_is_fine(tmp_path: Path, module: str, source: str) -> None:
    parts = {"kernel__identity": "", "examples__bank__account": "", "widgets__timeline": ""}
    assert not faults(house(tmp_path, **parts, **{module: source}))


def test_a_circle_is_named_even_where_one_half_is_for_the_type_checker(tmp_path: Path) -> None:
    root = house(
        tmp_path,
        kernel__run="from calamity_lab.kernel.stack import Stack",
        kernel__stack="if TYPE_CHECKING:\n    from calamity_lab.kernel.run import Run",
    )
    assert {"calamity_lab.kernel.run", "calamity_lab.kernel.stack"} == set(circle(root))


def test_only_text_escapes_html() -> None:
    elsewhere = {found.importer for found in imports(ROOT) if found.imported.split(".")[0] == "html"}
    assert elsewhere == {"calamity_lab.text"}


def test_the_rooms_are_what_stands_at_the_top_besides_the_face(tmp_path: Path) -> None:
    root = house(tmp_path, errors="", kernel__stack="", kernel__run="")
    (root / "calamity_lab" / "py.typed").touch()
    (root / "calamity_lab" / "left_over" / "__pycache__").mkdir(parents=True)
    assert rooms(root) == ["errors", "kernel"]


def test_the_files_and_lines_of_the_product_are_counted_in_three_languages(tmp_path: Path) -> None:
    root = house(tmp_path, widgets__view="import a\nimport b\n")
    (root / "calamity_lab" / "widgets" / "view.js").write_text("export {};\n", encoding="utf-8")
    (root / "calamity_lab" / "widgets" / "view.css").write_text(".view {\n}\n", encoding="utf-8")
    (root / "calamity_lab" / "widgets" / "view.png").touch()
    files = product_files(root)
    assert [path.name for path in files] == ["__init__.py", "view.css", "view.js", "view.py"]
    assert lines_of(files) == 5


def test_a_public_class_that_two_modules_define_is_found_and_a_private_one_is_not(tmp_path: Path) -> None:
    root = house(
        tmp_path,
        views__lanes="class Mark: ...\nclass _Row: ...",
        figures__lanes="class Mark: ...\nclass _Row: ...",
        figures___private="class Mark: ...",
    )
    assert public_classes(root) == {"Mark": ["calamity_lab.figures.lanes", "calamity_lab.views.lanes"]}


@pytest.mark.parametrize(
    "source",
    [
        "_seen = {}",
        "_seen: dict[str, int] = {}",
        "_seen = WeakKeyDictionary()",
        "class Trail:\n    seen: list[int] = []",
        "from functools import lru_cache\n@lru_cache(maxsize=8)\ndef layout(graph): ...",
        "import functools\nclass Trail:\n    @functools.cache\n    def layout(self): ...",
        "_seen = 0\ndef count():\n    global _seen\n    _seen += 1",
    ],
)
def test_what_a_module_of_the_views_keeps_between_calls_is_found(tmp_path: Path, source: str) -> None:
    root = house(tmp_path, views__lanes=source, trace__index=source)
    (found,) = global_caches(root, "views")
    assert found.startswith("calamity_lab.views.lanes:")


@pytest.mark.parametrize(
    "source",
    [
        "KINDS = {'event': 'circle'}",
        "WORDS = ('event', 'command')\nNONE = ()",
        "def count():\n    seen = {}\n    return seen",
        "@dataclass\nclass Trail:\n    seen: dict[str, int] = field(default_factory=dict)",
        "SOME = dict([('a', 1)])",
    ],
)
def test_what_a_module_of_the_views_writes_out_is_no_cache(tmp_path: Path, source: str) -> None:
    assert not global_caches(house(tmp_path, views__lanes=source), "views")


def test_no_module_of_the_views_keeps_anything_between_calls() -> None:
    assert not global_caches(ROOT, "views")


def test_of_the_probe_only_what_mutes_the_process_keeps_anything_between_calls() -> None:
    # There is one standard output in a process, and so one count of who asks meanwhile.
    kept = global_caches(ROOT, "probe")
    assert [one for one in kept if "muted_output" not in one] == []


def test_views_ask_the_model_nothing() -> None:
    asking = [found for found in imports(ROOT) if found.imported == "calamity_lab.kernel.ask"]
    assert asking, "the probe asks"
    assert not [str(found) for found in asking if found.importer.startswith("calamity_lab.views.")]
