"""Views of many moments as plain JSON values: each row once, and of each moment what it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from calamity_lab.widgets.patches import plain


class Packing:
    """The rows met so far, and what the views held last.

    A change of a field is, with one letter for what it is: ``{"v": value}``; ``{"o": n}``, the row of that
    number; ``{"l": [kept, kept at the end, new values]}`` for a list of plain values between whose ends
    something changed; ``{"r": [...]}`` likewise for a list of rows, told by their numbers.
    """

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self._numbers: dict[Any, int] = {}
        self._last: dict[str, dict[str, Any]] = {}

    def changes(self, part: str, view: Any) -> dict[str, Any]:
        """The fields of a part's view (a dataclass) that differ from the last one of that part."""
        last = self._last.setdefault(part, {})
        found = {}
        for field in fields(view):
            letter, value = self._read(getattr(view, field.name))
            if field.name not in last or last[field.name] != (letter, value):
                found[field.name] = {letter: self._spliced(letter, last.get(field.name), value)}
                last[field.name] = (letter, value)
        return found

    def number(self, row: Any) -> int:
        """The number of a row, which is kept if it is new."""
        if row not in self._numbers:
            self._numbers[row] = len(self.rows)
            self.rows.append(plain(row))
        return self._numbers[row]

    def _read(self, value: Any) -> tuple[str, Any]:
        if isinstance(value, tuple):
            if value and is_dataclass(value[0]):
                return "r", [self.number(row) for row in value]
            return "l", plain(value)
        if is_dataclass(value):
            return "o", self.number(value)
        return "v", plain(value) if isinstance(value, Mapping) else value

    def _spliced(self, letter: str, last: tuple[str, Any] | None, value: Any) -> Any:
        if letter not in "lr":
            return value
        before = last[1] if last is not None and last[0] in "lr" else []
        most = min(len(before), len(value))
        start = 0
        while start < most and before[start] == value[start]:
            start += 1
        end = 0
        while end < most - start and before[-1 - end] == value[-1 - end]:
            end += 1
        return [start, end, value[start : len(value) - end]]
