"""The fields of a state as rows: changed ones first, and what lies in those that are unfolded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from calamity_lab.text import format_value
from calamity_lab.trace.differences import ABSENT, differences
from calamity_lab.views.inner import Inner, count_in, deeper, state_fields, summary, within
from calamity_lab.views.state_history import FieldHistory

LENGTH = 200
"""A value's text is cut there."""
WHOLE = 2_000
"""A long text's whole is cut there."""
BLOCK = 20
"""So much of a long list is unfolded at once."""
_MOST_COMPARED = 1_000


@dataclass(frozen=True, slots=True)
class FieldRow:
    """A field of a state; ``before`` is what it was before the command, where the command changed it.

    ``inner`` is how many values lie in it: where ``is_open``, the next rows show them, one ``depth`` deeper.
    ``path`` tells it from all others of the state. ``gone``: the command took it away. ``whole`` is the whole
    of a text that was cut.
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
        list(_rows(Inner(name, name, value), value if same else old.get(name, ABSENT), unfold, 0))
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


def _rows(this: Inner, old: Any, unfold: Collection[str], depth: int) -> Iterator[FieldRow]:
    """A value's own row, and those of what lies in it."""
    inner = count_in(this.value)
    is_open = inner > 0 and this.path in unfold
    yield _row(this, old, depth, inner, is_open=is_open)
    if is_open:
        yield from _block(this, old, unfold, depth + 1, 0, inner)


def _row(this: Inner, old: Any, depth: int, inner: int, *, is_open: bool) -> FieldRow:
    value, changed = this.value, differ(old, this.value)
    text = summary(value) if is_open else format_value(value, LENGTH)
    # What is unfolded tells its changes below.
    before = format_value(old, LENGTH) if changed and old is not ABSENT and not is_open else None
    whole = format_value(value, WHOLE) if isinstance(value, str) and len(value) > LENGTH else None
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
    )


def _block(
    this: Inner, old: Any, unfold: Collection[str], depth: int, first: int, inner: int
) -> Iterator[FieldRow]:
    """A block of what lies in a value, and a row for the rest of it, which unfolds in turn."""
    comparable = type(old) is type(this.value)
    for child in within(this.value, this.path, first, BLOCK):
        found = deeper(old, this.path, child.path) if comparable else None
        yield from _rows(child, ABSENT if found is None else found.value, unfold, depth)
    rest = first + BLOCK
    if rest < inner:
        path = f"{this.path}[{rest}:]"
        is_open = path in unfold
        changed = comparable and isinstance(old, (list, tuple)) and differ(old[rest:], this.value[rest:])
        yield FieldRow(f"{inner - rest:,} more", "", None, changed, path, depth, inner - rest, is_open)
        if is_open:
            yield from _block(this, old, unfold, depth, rest, inner)
    elif comparable and old is not this.value:
        yield from _gone(this, old, depth)


def _gone(this: Inner, old: Any, depth: int) -> Iterator[FieldRow]:
    """What lay in a value before, and lies in it no longer."""
    for child in within(old, this.path, 0, _MOST_COMPARED):
        if deeper(this.value, this.path, child.path) is None:
            before = format_value(child.value, LENGTH)
            yield FieldRow(child.name, "", before, True, format_value(child.path), depth, gone=True)
