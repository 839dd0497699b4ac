"""What a person reads is plain English, as far as a program can tell."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.floors import product_files

ROOT = Path(__file__).resolve().parents[1]
PROSE = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

# Sentences of earlier versions that readers stumbled over.
BANNED = [
    "of his own",
    "takes it back and off the agenda",
    "is no process manager",
    "it lacks",
    "not placed",
    "the places are",
    "Go where that leads",
    "what lies over the rest",
    "to what is beside it",
    "Nothing here has that",
    "No longer keep",
    "row an event",
    "row a step",
    "sending commands takes a notebook",
    "smallest thing that can happen",
    "On until the agenda",
    "Of so many commands is told",
    "of which is told what it would lead to",
    "Among so many commands",
    "nothing is selected of",
    "which it has not the shape of",
]
# Words that only this house used, or in a sense of its own. No name, docstring or comment has them.
_PRIVATE = re.compile(
    "bringing|desk|foreseen?|foresees|grounds|owe[ds]|refus(ed|als?)|standings?|tally|tallies|tell(s|ing)|told|unheard"
)
_NAME = re.compile(r"[A-Za-z]\w*")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_PLURALS = (
    "aggregates|branches|bytes|cards|changes|columns|commands|deadlines|events|fields|instances|lanes|marks"
    "|matches|messages|moments|positions|process managers|rejections|rows|seconds|steps|streams|times|values"
    "|versions"
)
_COUNTED = re.compile(rf"^{{.*?}} (?:further |more |other |earlier |later |pending |past )?(?:{_PLURALS})\b")
_COUNTED_IN_SCRIPT = re.compile(rf"\$\{{[^}}]*\}} (?:further |more |other |pending )?(?:{_PLURALS})\b")


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Every text of a file with its line: the strings and comments of Python, the lines of all else."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.lineno, node.value
        yield from (
            (n, line) for n, line in enumerate(source.splitlines(), 1) if line.lstrip().startswith("#")
        )
    else:
        yield from enumerate(source.splitlines(), 1)


def private(path: Path) -> Iterator[str]:
    """Lines with a private word, also as a part of a name; the contract gave the step `Refused` its name."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        names = " ".join(name for name in _NAME.findall(line) if name != "Refused")
        found = {word for word in _WORD.findall(names) if _PRIVATE.fullmatch(word.lower())}
        yield from (f"{path.name}:{number}: {word}" for word in found)


def uncounted(path: Path) -> Iterator[str]:
    """Places that write a number before a plural, so that 1 reads as "1 moments"; `plural` writes both.

    A line that asks for more than one (``> 1``) may do so, and so may a limit in capital letters.
    """
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    if path.suffix == ".py":
        found = [(line, text) for line, text in _counted_in_python(source) if _COUNTED.search(text)]
    else:
        found = [
            (number, match[0])
            for number, line in enumerate(lines, 1)
            for match in _COUNTED_IN_SCRIPT.finditer(line)
        ]
    yield from (f"{path.name}:{line}: {text}" for line, text in found if "> 1" not in lines[line - 1])


def _counted_in_python(source: str) -> Iterator[tuple[int, str]]:
    """What stands in an f-string before each text, and the text: ``{n} moments``."""
    for node in ast.walk(ast.parse(source)):
        for value, text in pairwise(node.values if isinstance(node, ast.JoinedStr) else []):
            if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant):
                name = ast.unparse(value.value)
                if not name.isupper():
                    yield node.lineno, f"{{{name}}}{text.value}"


def test_no_phrase_that_readers_stumbled_over_is_left() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {phrase}"
        for path in [*product_files(ROOT), *PROSE]
        for line, text in texts(path)
        for phrase in BANNED
        if re.search(rf"\b{re.escape(phrase)}\b", text, re.IGNORECASE)
    ]
    assert not found, "\n".join(found)


def test_no_private_word_is_left_in_the_package() -> None:
    found = [line for path in product_files(ROOT) for line in private(path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source", ["view.told = 1", '"refused-soft"', "const isRefusal = 1;", "# what it tells"]
)
def test_a_private_word_is_found(tmp_path: Path, source: str) -> None:
    path = tmp_path / "some.py"
    path.write_text(f"{source}\nRefused, tell, outstanding", encoding="utf-8")
    assert len(list(private(path))) == 1


def test_a_number_stands_before_a_plural_only_where_plural_writes_it() -> None:
    found = [place for path in product_files(ROOT) for place in uncounted(path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("source", ['f"{n} moments"', 'f"at {n:,} further commands of it"'])
def test_a_number_before_a_plural_is_found(tmp_path: Path, source: str) -> None:
    path = tmp_path / "some.py"
    path.write_text(source, encoding="utf-8")
    assert len(list(uncounted(path))) == 1
    path.write_text(
        source.replace(" moments", " is the moment").replace(" further commands", ""), encoding="utf-8"
    )
    assert not list(uncounted(path))
