"""``@command`` in every dress a class can wear, and wherever its aggregate may be defined."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import attrs
import msgspec
import pytest

from calamity_lab.errors import InvalidModel, UnresolvedTarget
from calamity_lab.kernel.messages import command

ROOT = Path(__file__).resolve().parents[2]


class Box:
    """An aggregate's class; for its name alone."""


@command(to=Box, by="box")
@dataclass(frozen=True, slots=True)
class Outside:
    box: str


@dataclass(frozen=True, slots=True)
@command(to="Box", by="box")
class Inside:
    box: str


@command(to="Box", by="box")
@attrs.frozen
class WithAttrs:
    box: str


@attrs.frozen
@command(to="Box", by="box")
class InsideAttrs:
    box: str


@command(to="Box", by="box")
class WithMsgspec(msgspec.Struct, frozen=True):
    box: str


@command(to="Box", by="box")
class WithNamedTuple(NamedTuple):
    box: str


@command(to="Box", by="box")
@dataclass(frozen=True)
class Inherited(Outside):
    size: int = 0


@pytest.mark.parametrize(
    "cls", [Outside, Inside, WithAttrs, InsideAttrs, WithMsgspec, WithNamedTuple, Inherited]
)
def test_a_command_in_any_dress_tells_its_aggregate(cls: Any) -> None:
    assert cls("b1").aggregate() == (Box, "b1")


def test_an_aggregate_may_be_defined_later_in_the_same_function() -> None:
    @command(to="Later", by="id")
    @dataclass(frozen=True)
    class Early:
        id: str

    class Later:
        """Defined after the command that is for it."""

    early: Any = Early("1")
    assert early.aggregate() == (Later, "1")


def test_a_command_made_in_a_function_still_finds_its_aggregate_when_the_function_is_over() -> None:
    def make() -> tuple[Any, type]:
        @command(to="Later", by="id")
        @dataclass(frozen=True)
        class Early:
            id: str

        class Later:
            """Defined after the command that is for it."""

        return Early, Later

    early, later = make()
    assert early("1").aggregate() == (later, "1")


def test_a_class_that_a_cell_defines_again_is_found_anew() -> None:
    notebook: dict[str, Any] = {"__name__": "__main__"}
    source = "@command(to='Box', by='box')\nclass Do:\n    box = 'b'\n"
    exec("from calamity_lab.kernel.messages import command\n" + source, notebook)
    for _ in range(2):
        exec("class Box: pass", notebook)
        assert notebook["Do"]().aggregate() == (notebook["Box"], "b")


def test_an_aggregate_in_main_may_be_named() -> None:
    program = (
        "from calamity_lab.kernel.messages import command\n"
        "@command(to='Box', by='box')\nclass Do:\n    box = 'b'\n"
        "class Box: pass\nassert Do().aggregate() == (Box, 'b')\nprint('found')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "found\n"


def test_a_name_that_nobody_defined_is_told_with_where_it_was_looked_for() -> None:
    module = ModuleType("shop")
    exec("from calamity_lab.kernel.messages import command", module.__dict__)
    exec("@command(to='Basket', by='id')\nclass Add:\n    id = 1", module.__dict__)
    with pytest.raises(
        UnresolvedTarget, match=r"Add\.aggregate looks for the aggregate 'Basket', but shop has no"
    ):
        module.Add().aggregate()
    module.__dict__["Basket"] = 5
    with pytest.raises(UnresolvedTarget, match="has 5 under that name, which is no class"):
        module.Add().aggregate()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"to": 5, "by": "box"}, "'to' is the aggregate's class or its name"),
        ({"to": "Box", "by": 5}, "'by' is the name of the field"),
        ({"to": "Box", "by": "crate"}, r"Plain has no field 'crate' \(its fields: box\)"),
    ],
)
def test_a_shortcut_that_cannot_work_is_refused_where_it_is_written(arguments: Any, told: str) -> None:
    class Plain:
        box: str

    with pytest.raises(InvalidModel, match=told):
        command(**arguments)(Plain)
