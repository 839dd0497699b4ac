"""Each tutorial reads well where no kernel runs; tests/browser runs it, and compares what it shows."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts import execute_notebooks as tutorials

PATHS = tutorials.tutorials()
each_tutorial = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)

ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}")
MACHINE = (str(tutorials.ROOT), str(Path.home()), tempfile.gettempdir(), sys.prefix)
LINK = re.compile(r"\]\(([^)\s]+)\)")
WORDS_A_MINUTE = 200
SECONDS_A_CELL = 6


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook: Any) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def texts(notebook: Any) -> Iterator[str]:
    """Everything that the cells show, as text."""
    for cell in code_cells(notebook):
        for output in cell.outputs:
            yield output.get("text", "")
            yield from (shown for kind, shown in output.get("data", {}).items() if kind.startswith("text/"))


def test_the_tutorials_are_numbered_from_1_in_the_order_in_which_they_are_read() -> None:
    assert [path.name[:3] for path in PATHS] == [f"{number:02}-" for number in range(1, len(PATHS) + 1)]
    assert len(PATHS) >= 4


@each_tutorial
def test_a_tutorial_is_committed_as_make_notebooks_writes_it(path: Path) -> None:
    committed = tutorials.read(path)
    again = tutorials.written(tutorials.settled(committed, committed))
    assert path.read_text(encoding="utf-8") == again


@each_tutorial
def test_no_output_tells_where_it_was_made(path: Path) -> None:
    shown = "\n".join(texts(tutorials.read(path)))
    assert not ADDRESS.findall(shown)
    assert not [place for place in MACHINE if place in shown]


@each_tutorial
def test_relative_links_lead_somewhere_and_no_other_link_is_needed(path: Path) -> None:
    links = LINK.findall(prose(tutorials.read(path)))
    assert not [link for link in links if "://" in link]
    assert not [link for link in links if not (path.parent / link.partition("#")[0]).exists()]


@each_tutorial
def test_the_solution_of_the_exercise_is_folded_and_stands_below_an_empty_cell(path: Path) -> None:
    cells = code_cells(tutorials.read(path))
    folded = [cell for cell in cells if cell.metadata.get("jupyter", {}).get("source_hidden")]
    assert folded == cells[-1:]
    assert cells[-1].metadata.jupyter.outputs_hidden
    assert cells[-2].source in ("", "%lab"), "the reader writes there, or runs what was written above"


@each_tutorial
def test_a_tutorial_takes_less_than_ten_minutes(path: Path) -> None:
    notebook = tutorials.read(path)
    minutes = len(prose(notebook).split()) / WORDS_A_MINUTE + len(code_cells(notebook)) * SECONDS_A_CELL / 60
    lines = sum(len(cell.source.splitlines()) for cell in code_cells(notebook)[:-1])
    assert minutes + lines / 40 < 10
