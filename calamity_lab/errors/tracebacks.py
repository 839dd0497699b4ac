"""Where an error comes from in the user's cells and files, without calamity_lab's frames and libraries'."""

from __future__ import annotations

import linecache
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

_PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"
_EXAMPLES = f"{_PACKAGE}examples{os.sep}"
_STANDARD = f"{Path(os.__file__).parent}{os.sep}"
_INSTALLED = ("site-packages", "dist-packages")
_LONGEST = 160  # characters of a line
_MOST = 3  # frames that are shown: the first one and the last ones
_BOLD, _PLAIN = "\x1b[1m", "\x1b[22m"  # no colour has enough contrast on the ground of errors in both themes


class Place(NamedTuple):
    """A line of code that was running when an error was raised."""

    code: CodeType
    line: int

    @property
    def source(self) -> str:
        """The line as it is written; empty where the source is not known."""
        return linecache.getline(self.code.co_filename, self.line).strip()[:_LONGEST]

    def __str__(self) -> str:
        return f"{_named(self.code.co_filename)}, line {self.line}"


def places_of(error: BaseException | None) -> list[Place]:
    """The user's lines that led to an error, the outermost first; those of its cause follow.

    Where there is none, as in a library that calls the lab, the lines of the libraries.
    """
    others = [place for place in _places(error) if not _is_ours(place.code)]
    return [place for place in others if not _is_of_library(place.code)] or others


def raised_in(error: BaseException, callback: Callable[..., Any] | None = None) -> str:
    """Where the user's code raised an error, as in " in cell In [5], line 12,"; empty where nobody knows.

    An error that was raised at the call itself, as for a wrong number of arguments, is that of the callback.
    """
    places = places_of(error)
    return f" in {places[-1]}," if places else defined_in(callback)


def defined_in(callback: Callable[..., Any] | None) -> str:
    """Where a callback is written, in the same words."""
    code = getattr(getattr(callback, "__func__", callback), "__code__", None)
    return f" in {Place(code, code.co_firstlineno)}," if type(code) is CodeType else ""


def raised_by_statement(error: BaseException) -> bool:
    """Whether the user's code raised an error itself, by ``raise`` or ``assert``, and no call of it did."""
    deepest = [place for place in _places(error) if not _is_ours(place.code)][-1:]
    return any(
        place.source.startswith(("raise ", "assert ")) and not _is_of_library(place.code) for place in deepest
    )


def rendered(error: BaseException) -> list[str]:
    """An error for a notebook: the user's lines, then what the error says, then where the rest is."""
    bold = _bold()
    places = places_of(error)
    shown = [*places[:1], *places[1 - _MOST :]] if len(places) > _MOST else places
    lines = [line for place in shown for line in _lines(place, bold)]
    if len(shown) < len(places):
        lines.insert(2, f"... {len(places) - len(shown):,} more lines of code, which call each other ...")
    lines += ["", f"{bold(type(error).__name__)}: {error}", *getattr(error, "__notes__", ())]
    return [*lines, "The whole traceback: %tb"] if places_of(error.__cause__) else lines


def whole(error: BaseException) -> list[str]:
    """The lines of the whole traceback, as Python shows it."""
    return "".join(traceback.format_exception(error)).splitlines()


def length(error: BaseException) -> int:
    """How many frames an error went through so far; more when it is raised again."""
    return len(list(traceback.walk_tb(error.__traceback__)))


def _places(error: BaseException | None) -> Iterator[Place]:
    """The lines of an error and of its causes, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield from (Place(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__))
        error = error.__cause__


def _is_ours(code: CodeType) -> bool:
    return code.co_filename.startswith(_PACKAGE) and not code.co_filename.startswith(_EXAMPLES)


def _is_of_library(code: CodeType) -> bool:
    """Whether code is of an installed package, of Python itself, or made by one of these."""
    name = code.co_filename
    if name.startswith(_EXAMPLES):
        return False
    if name.startswith("<"):
        return name.startswith("<frozen ") or (name == "<string>" and code.co_name != "<module>")
    return name.startswith(_STANDARD) or any(f"{os.sep}{part}{os.sep}" in name for part in _INSTALLED)


def _lines(place: Place, bold: Callable[[str], str]) -> Iterator[str]:
    name = place.code.co_qualname
    where = str(place)
    yield bold(where[0].upper() + where[1:]) + ("" if name == "<module>" else f", in {name}")
    yield f"----> {place.source}" if place.source else "----> (the source is not known)"


def _named(filename: str) -> str:
    """A cell by its number, as in "cell In [5]"; a file by its path, from the working directory on."""
    shell = _shell()
    if shell is not None:
        names = shell.compile.format_code_name(filename)
        if names is not None and names[1].startswith("In["):
            return f"cell In [{names[1][3:-1]}]"
    if filename.startswith("<"):
        return filename
    try:
        return f"file {filename.removeprefix(f'{Path.cwd()}{os.sep}')}"
    except OSError:  # the working directory was deleted
        return f"file {filename}"


def _bold() -> Callable[[str], str]:
    shell = _shell()
    if shell is None or str(shell.colors).lower() == "nocolor":
        return str
    return lambda text: f"{_BOLD}{text}{_PLAIN}"


def _shell() -> Any:
    """The shell of the notebook, if there is one: IPython itself is not imported here."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return None if get_ipython is None else get_ipython()
