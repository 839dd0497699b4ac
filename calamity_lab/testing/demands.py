"""What a suite demands of a store, told as a sentence when it is not met.

Suites are shipped, so pytest does not rewrite their assertions; these say what was wanted and found instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from reprlib import Repr
from time import monotonic, sleep
from typing import Any, TypeVar

E = TypeVar("E", bound=Exception)

_brief = Repr()
_brief.maxstring = _brief.maxother = 600
_brief.maxlist = _brief.maxtuple = _brief.maxdict = 12


def must_equal(found: Any, wanted: Any, sentence: str) -> None:
    """Raise an AssertionError that begins with what a store must do, unless it was found so."""
    __tracebackhide__ = True
    if found == wanted:
        return
    said = [sentence, f"  wanted: {_brief.repr(wanted)}", f"  found:  {_brief.repr(found)}"]
    if isinstance(found, (list, tuple)) and isinstance(wanted, (list, tuple)):
        said += _first_difference(found, wanted)
    raise AssertionError("\n".join(said))


def must(holds: bool, sentence: str) -> None:
    """Raise an AssertionError with the sentence unless it holds."""
    __tracebackhide__ = True
    if not holds:
        raise AssertionError(sentence)


@contextmanager
def must_raise(kind: type[E], sentence: str) -> Iterator[list[E]]:
    """Expect an error of that kind from what is inside; it is in the list afterwards."""
    __tracebackhide__ = True
    raised: list[E] = []
    try:
        yield raised
    except kind as error:
        raised.append(error)
    except Exception as error:
        raise AssertionError(f"{sentence}; it raised {type(error).__name__}: {error}") from error
    else:
        raise AssertionError(f"{sentence}; it raised nothing")


def outcome(call: Callable[[], Any], kinds: tuple[type[Exception], ...]) -> tuple[Any, Exception | None]:
    """What a call answers, or the error of one of these kinds that it raises."""
    try:
        return call(), None
    except kinds as error:
        return None, error


def wait_until(holds: Callable[[], bool], *, seconds: float) -> bool:
    """Whether it holds before the time is up; that it does at once is the usual case."""
    end = monotonic() + seconds
    while not holds():
        if monotonic() > end:
            return False
        sleep(0.002)
    return True


def _first_difference(found: Sequence[Any], wanted: Sequence[Any]) -> list[str]:
    for place, (one, other) in enumerate(zip(found, wanted, strict=False)):
        if one != other:
            return [
                f"  first difference, at index {place}:",
                f"    wanted: {_brief.repr(other)}",
                f"    found:  {_brief.repr(one)}",
            ]
    return [f"  lengths differ: wanted {len(wanted)}, found {len(found)}"]
