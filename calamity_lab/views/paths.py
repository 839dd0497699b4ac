"""The values inside a value, each with its path, and the rows that show them.

A path is written as in Python: ``lines[2].price``, ``stock['mug']``. An item of a set has no index; its
path is its text, as in ``tags{'new'}``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import dataclass, is_dataclass, replace
from enum import Enum
from itertools import islice
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from calamity_lab.kernel.arguments import is_a
from calamity_lab.kernel.schema import RaisingParts, field_names, fields_of, is_record
from calamity_lab.text import format_value, plural
from calamity_lab.trace.differences import (
    ABSENT,
    Alignment,
    ChangeLine,
    aligned,
    change,
    differences,
    lines,
)

_KEY_LENGTH = 60
_ATOMS = frozenset({str, int, float, bool, type(None)})
_INDEX = re.compile(r"\[([0-9]+)\]")
_TEXT_KEY = re.compile(r"\['([^'\\\]]*)'\]")


class InnerValue(NamedTuple):
    """A value inside another value."""

    name: str
    path: str
    value: Any


def count_in(value: Any) -> int:
    """How many values are inside this one; 0 for a text, a number, and all that is shown as a whole."""
    if type(value) in _ATOMS or is_a(value, Enum, type):
        return 0
    if _is_record(value):
        return len(fields_of(value))
    try:
        return len(value) if is_a(value, Mapping, list, tuple, Set) else 0
    except Exception:  # noqa: BLE001 - a container whose methods raise is shown as a whole
        return 0


def within(value: Any, path: str, first: int = 0, limit: int | None = None) -> Iterator[InnerValue]:
    """The values inside a value, in order; at most ``limit`` of them, from index ``first`` on."""
    try:
        yield from _within(value, path, first, limit)
    except Exception as error:  # noqa: BLE001 - what a model's class raises is shown in place of its items
        yield InnerValue("", f"{path}{{…}}", RaisingParts(type(value), error))


def _within(value: Any, path: str, first: int, limit: int | None) -> Iterator[InnerValue]:
    last = None if limit is None else first + limit
    if _is_record(value):
        for name, item in islice(fields_of(value).items(), first, last):
            yield InnerValue(name, f"{path}.{name}" if path else name, item)
    elif is_a(value, Mapping):
        for n, (key, item) in islice(enumerate(value.items()), first, last):
            text = _key(key, n)
            yield InnerValue(text, f"{path}[{text}]", item)
    elif is_a(value, Set):
        texts = sorted(((_key(item, n), item) for n, item in enumerate(value)), key=lambda pair: pair[0])
        for text, item in texts[first:last]:
            yield InnerValue("", f"{path}{{{text}}}", item)
    else:
        for n, item in enumerate(value[first:last], first):
            yield InnerValue(f"[{n}]", f"{path}[{n}]", item)


def summary(value: Any) -> str:
    """A short text for a value whose inner values are shown below it."""
    if _is_record(value):
        return type(value).__name__
    nouns = ("entry", "entries") if is_a(value, Mapping) else ("item", "items")
    return plural(count_in(value), *nouns)


def state_fields(state: Any) -> dict[str, Any]:
    """The fields of a state; a state that is no record has itself as its only field."""
    if state is None:
        return {}
    if is_a(state, dict) or is_record(state):
        return fields_of(state)
    return {"value": state}


def state_at(state: Any, path: str) -> Any:
    """The value at a path in a state; a path begins with the name of a field."""
    fields = state_fields(state)
    whole = max((name for name in fields if _leads(name, path)), key=len, default=None)
    return ABSENT if whole is None else _from(fields[whole], whole, path)


def _from(value: Any, here: str, path: str) -> Any:
    while here != path:
        found = deeper(value, here, path)
        if found is None:
            return ABSENT
        here, value = found.path, found.value
    return value


def deeper(value: Any, here: str, path: str) -> InnerValue | None:
    """The inner value on the way from ``here``, the path of ``value``, to ``path``."""
    if not count_in(value):
        return None
    rest = path[len(here) :]
    if is_a(value, list, tuple) and not _is_record(value):
        found = _INDEX.match(rest)
        n = int(found[1]) if found else len(value)
        return next(within(value, here, n, 1), None)
    key = _TEXT_KEY.match(rest)
    if key and is_a(value, Mapping) and key[1] in value:
        return InnerValue(key[1], here + key[0], value[key[1]])
    return next((inner for inner in within(value, here) if _leads(inner.path, path)), None)


def _leads(path: str, further: str) -> bool:
    return further == path or (further.startswith(path) and further[len(path)] in ".[{")


def _is_record(value: Any) -> bool:
    """Whether a value is shown by its fields; a class with its own repr is shown by that."""
    cls = type(value)
    if is_dataclass(cls) or field_names(cls) is not None:
        return True
    return is_record(value) and not is_a(value, Mapping, list, tuple, Set, Enum) and _has_no_repr(cls)


def _has_no_repr(cls: type) -> bool:
    return next(base for base in cls.__mro__ if "__repr__" in vars(base)) is object


def _key(key: Any, index: int) -> str:
    if type(key) is str and len(key) <= _KEY_LENGTH:
        return format_value(repr(key))
    # As inside other values: a text is in quotes.
    text = format_value([key], _KEY_LENGTH)[1:]
    return text.removesuffix("]") if text.endswith("]") else f"{text}#{index}"  # others may begin like it


LENGTH = 200
"""The longest text of a value."""
WHOLE = 2_000
"""The longest text that is kept whole beside the cut one."""
SMALL = 48
"""If the texts of two values are no longer than this together, they are shown side by side."""
MOST_CHANGES = 4
"""So many changes inside a value are shown."""
BLOCK = 20
"""At most this many items of a long list are unfolded at once."""
_MOST_COMPARED = 1_000


@dataclass(frozen=True, slots=True)
class FieldHistory:
    """The values of a field by version; ``past`` of them are not later than the cursor.

    ``moments`` are those of the versions, None for versions older than the trace. ``heights`` are between 0
    (``least``) and 1 (``most``), None if the value is no number; changes have none. ``every`` is 1 if all
    versions were read. ``earlier`` is how many changes before the first were left out.
    """

    kind: Literal["numbers", "changes"]
    versions: tuple[int, ...]
    moments: tuple[int | None, ...]
    values: tuple[str, ...]
    heights: tuple[float | None, ...]
    past: int
    least: str
    most: str
    every: int
    earlier: int


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A field of a state; ``before`` is its value before the command, if the command changed it.

    ``inner`` is how many values are in it; if ``is_open``, the next rows show these, one ``depth`` deeper.
    ``path`` is unique in the state. ``gone``: the command removed it. ``whole`` is the whole text if it was
    cut. ``changes`` are the first changes inside a value that is too long to be compared by eye, and
    ``more_changes`` is how many there are besides.
    """

    name: str
    value: str
    before: str | None
    changed: bool
    path: str = ""
    depth: int = 0
    inner: int = 0
    is_open: bool = False
    gone: bool = False
    whole: str | None = None
    history: FieldHistory | None = None
    changes: tuple[ChangeLine, ...] = ()
    more_changes: int = 0

    @property
    def summary_of_changes(self) -> str:
        """The changes inside the value as one text; "" if it is shown whole."""
        more = [f"{self.more_changes:,} more"] if self.more_changes else []
        return "; ".join([*map(str, self.changes), *more])


def inner_changes(before: Any, after: Any, most: int = MOST_CHANGES) -> tuple[tuple[ChangeLine, ...], int]:
    """The first changes inside a value, and how many there are besides; none if it changed as a whole."""
    found = change(before, after)
    if found is None or not found.inner:
        return (), 0
    first = tuple(islice(lines(found), most))
    return first, found.size - len(first)


def unfolded(
    state: Any,
    before: Any,
    unfold: Collection[str] = (),
    histories: Mapping[str, FieldHistory] = MappingProxyType({}),
) -> tuple[FieldRow, ...]:
    """The rows of a state, with those paths unfolded, as compared with the state ``before``.

    Of a state without one before it all is new; one that is compared with itself has no changes.
    """
    fields, old = state_fields(state), state_fields(before)
    same = state is before
    blocks = [
        list(_rows(InnerValue(name, name, value), value if same else old.get(name, ABSENT), unfold, 0))
        for name, value in fields.items()
    ]
    rows = [row for block in sorted(blocks, key=lambda block: not block[0].changed) for row in block]
    return tuple([_with_history(row, histories) for row in rows] if histories else rows)


def differ(before: Any, after: Any) -> bool:
    """Whether two values differ anywhere."""
    return next(differences(before, after), None) is not None


def _with_history(row: FieldRow, histories: Mapping[str, FieldHistory]) -> FieldRow:
    history = histories.get(row.path)
    return row if history is None else replace(row, history=history)


def _rows(this: InnerValue, old: Any, unfold: Collection[str], depth: int) -> Iterator[FieldRow]:
    """The row of a value, and the rows of its inner values if it is unfolded."""
    inner = count_in(this.value)
    is_open = inner > 0 and this.path in unfold
    yield _row(this, old, depth, inner, is_open=is_open)
    if is_open:
        yield from _block(this, _before(this, old), unfold, depth + 1, 0, inner)


class _Before(NamedTuple):
    """What a value was before, if it was of the same type; of a list, which item was which."""

    value: Any
    is_known: bool
    items: Alignment | None

    def of(self, this: InnerValue, child: InnerValue, index: int) -> Any:
        """What an inner value was before."""
        if self.items is None:
            found = deeper(self.value, this.path, child.path) if self.is_known else None
            return ABSENT if found is None else found.value
        origin = self.items.origin(index, self.value, this.value)
        return ABSENT if origin is None else self.value[origin]

    def moved(self, this: InnerValue, index: int) -> tuple[ChangeLine, ...]:
        """The line for an item that is in another order now; none for any other."""
        if self.items is None or index not in self.items.moved:
            return ()
        was = self.items.origin(index, self.value, this.value)
        return (ChangeLine("", "moved", f"[{was}]", at=f"[{index}]"),)

    def differs(self, this: InnerValue, first: int) -> bool:
        """Whether items of a list differ from index ``first`` on."""
        if self.items is None:
            return self.is_known and is_a(self.value, list, tuple)
        last = len(this.value) - self.items.end
        return any(
            n not in self.items.origins
            or n in self.items.moved
            or differ(self.value[self.items.origins[n]], this.value[n])
            for n in range(max(first, self.items.start), last)
        )


def _before(this: InnerValue, old: Any) -> _Before:
    value = this.value
    is_known = type(old) is type(value)
    is_list = is_known and old is not value and is_a(value, list, tuple) and not _is_record(value)
    return _Before(old, is_known, aligned(old, value) if is_list else None)


def _row(this: InnerValue, old: Any, depth: int, inner: int, *, is_open: bool) -> FieldRow:
    value, changed = this.value, differ(old, this.value)
    text = summary(value) if is_open else format_value(value, LENGTH)
    # The rows below an unfolded value show what changed.
    before = format_value(old, LENGTH) if changed and old is not ABSENT and not is_open else None
    is_long = before is not None and len(before) + len(text) > SMALL
    changes, more = inner_changes(old, value) if is_long else ((), 0)
    whole = format_value(value, WHOLE) if is_a(value, str) and len(value) > LENGTH else None
    return FieldRow(
        format_value(this.name),
        text,
        before,
        changed,
        format_value(this.path),
        depth,
        inner,
        is_open,
        whole=whole,
        changes=changes,
        more_changes=more,
    )


def _block(
    this: InnerValue, old: _Before, unfold: Collection[str], depth: int, first: int, inner: int
) -> Iterator[FieldRow]:
    """The rows of a block of inner values, and a row for the rest, which can be unfolded in turn."""
    for n, child in enumerate(within(this.value, this.path, first, BLOCK), first):
        row, *rows = _rows(child, old.of(this, child, n), unfold, depth)
        moved = old.moved(this, n)
        yield replace(row, changed=True, changes=moved) if moved else row
        yield from rows
    rest = first + BLOCK
    if rest < inner:
        path = f"{this.path}[{rest}:]"
        is_open = path in unfold
        changed = old.value is not this.value and old.differs(this, rest)
        yield FieldRow(f"{inner - rest:,} more", "", None, changed, path, depth, inner - rest, is_open)
        if is_open:
            yield from _block(this, old, unfold, depth, rest, inner)
    elif old.is_known and old.value is not this.value:
        yield from _gone(this, old, depth)


def _gone(this: InnerValue, old: _Before, depth: int) -> Iterator[FieldRow]:
    """The rows of inner values that are gone."""
    for child in _removed(this, old):
        before = format_value(child.value, LENGTH)
        yield FieldRow(child.name, "", before, True, format_value(child.path), depth, gone=True)


def _removed(this: InnerValue, old: _Before) -> Iterator[InnerValue]:
    if old.items is None:
        there = within(old.value, this.path, 0, _MOST_COMPARED)
        yield from (child for child in there if deeper(this.value, this.path, child.path) is None)
        return
    stay, last = set(old.items.origins.values()), len(old.value) - old.items.end
    gone = (n for n in range(old.items.start, last) if n not in stay)
    for n in islice(gone, _MOST_COMPARED):
        # Another item may be at this index now.
        sign = "-" if n < len(this.value) else ""
        yield InnerValue(f"[{n}]", f"{this.path}{sign}[{n}]", old.value[n])
