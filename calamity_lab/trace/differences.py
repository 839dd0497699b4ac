"""Where two values differ, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from calamity_lab.errors import repr_of
from calamity_lab.kernel.arguments import is_a
from calamity_lab.kernel.schema import fields_of, is_record


class _Absent:
    """Stands for the value of a field that is not there."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()


class Difference(NamedTuple):
    """A path, as in ``lines[2].price``, and the values there before and after."""

    path: str
    before: Any
    after: Any

    @property
    def field(self) -> str:
        """The outermost field of the path."""
        return self.path.partition(".")[0].partition("[")[0]


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """Every path at which the values differ, outermost first; values of equal fields are equal."""
    if before is after or _equal(before, after):
        return
    if type(before) is not type(after):
        yield Difference(path, before, after)
    elif is_record(before) or is_a(before, Mapping):
        yield from _named(fields_of(before), fields_of(after), path, "." if path else "")
    elif is_a(before, list, tuple):
        yield from _listed(before, after, path)
    else:
        yield Difference(path, before, after)


def _named(before: Mapping[str, Any], after: Mapping[str, Any], path: str, dot: str) -> Iterator[Difference]:
    for name in {**before, **after}:
        yield from differences(before.get(name, ABSENT), after.get(name, ABSENT), f"{path}{dot}{name}")


def _listed(before: Any, after: Any, path: str) -> Iterator[Difference]:
    for n in range(max(len(before), len(after))):
        old = before[n] if n < len(before) else ABSENT
        new = after[n] if n < len(after) else ABSENT
        yield from differences(old, new, f"{path}[{n}]")


def _holds(found: Any) -> bool:
    """Whether a comparison holds; that of two arrays has an answer for each item."""
    return found if type(found) is bool else bool(found.all() if hasattr(found, "all") else found)


def _equal(before: Any, after: Any) -> bool:
    if type(before) is not type(after):
        return False
    try:
        return _holds(before == after) or (_holds(before != before) and _holds(after != after))
    except RecursionError:  # too deep to be compared, or a value that contains itself
        return repr_of(before, None) == repr_of(after, None)
    except Exception:  # noqa: BLE001 - a foreign __eq__ may raise anything; the fields, or the repr, then tell
        parts = is_record(before) or is_a(before, Mapping, list, tuple)
        return not parts and repr_of(before, None) == repr_of(after, None)
