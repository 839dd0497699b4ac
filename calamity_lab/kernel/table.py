"""A mapping from names as a value: old versions stay good, and share what they have in common.

Versions that follow each other share one line: a list of values that only grows, of which each version sees
as many as there were, and for each name the places of its values in that list. So a change costs a hundred
bytes, however many names there are. (The fat nodes of Driscoll, Sarnak, Sleator and Tarjan, "Making Data
Structures Persistent", 1989.) A second version that goes on from the same one does so on a line of its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, Self, TypeVar, cast

from calamity_lab.kernel.identity import Identity

V = TypeVar("V")

_FULL = 16  # A line takes so many changes for each name, then another begins: so nobody holds it for ever.
_DEEP = 16  # So many lines may rest on one another, before all they hold is copied to begin afresh.


class _Line:
    """What versions that follow each other share: what was there before them, and what each put."""

    __slots__ = ("base", "depth", "flat", "full", "places", "tickets", "values")

    def __init__(self, base: Mapping[str, Any], size: int, depth: int) -> None:
        self.base = base
        self.depth = depth
        self.full = _FULL * (size + 4)
        self.values: list[Any] = []
        self.places: dict[str, list[int]] = {}
        self.tickets = count()  # who draws the number of the next place may put there, whatever threads do
        self.flat: tuple[int, dict[str, Any]] = (-1, {})  # all that one of the versions holds


class Table(Mapping[str, V]):
    """A frozen mapping; `insert` and `discard` give the next version, at a price that does not grow.

    Its names come in order; an `Identity` may be asked for where its stream id is the name. No value is None.
    """

    __slots__ = ("_line", "_size", "_upto")

    _line: _Line
    _upto: int  # how many of the line's values are seen
    _size: int

    def __new__(cls, items: Mapping[str, V] | None = None) -> Self:
        held = dict(items or {})
        return cls._begun(held, len(held), 0)

    def get(self, key: Any, default: Any = None) -> Any:
        """The value under that name, or the default."""
        line = self._line
        places = line.places.get(key)
        if places is None:
            if key.__class__ is Identity:
                return self.get(key.stream_id, default)
            return line.base.get(key, default)
        place = places[-1]
        if place >= self._upto:  # a later version has put another
            earlier = bisect_left(places, self._upto)
            if not earlier:
                return line.base.get(key, default)
            place = places[earlier - 1]
        value = line.values[place]
        return default if value is None else value

    def insert(self, name: str, value: V) -> Self:
        """The table with that value under that name."""
        line, place = self._line, self._upto
        if len(line.values) != place or place == line.full or next(line.tickets) != place:
            return self._on_a_line_of_its_own().insert(name, value)
        places = line.places.get(name)
        if places is None:
            before = line.base.get(name)
            line.places[name] = [place]
        else:
            before = line.values[places[-1]]
            places.append(place)
        line.values.append(value)
        table = object.__new__(self.__class__)
        table._line = line
        table._upto = place + 1
        table._size = self._size + (before is None) - (value is None)
        return table

    def discard(self, name: str) -> Self:
        """The table without that name."""
        return self if self.get(name) is None else self.insert(name, cast("V", None))

    def __getitem__(self, key: str) -> V:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return cast("V", value)

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._flat()))

    def __len__(self) -> int:
        return self._size

    def __hash__(self) -> int:
        return hash(frozenset(self.items()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self)!r})"

    def _flat(self) -> dict[str, V]:
        """All that the table holds, as a dict of its own."""
        base = self._line.base
        flat = base._flat() if isinstance(base, Table) else dict(base)
        for name in tuple(self._line.places):
            value = self.get(name)
            if value is None:
                flat.pop(name, None)
            else:
                flat[name] = value
        return flat

    def _on_a_line_of_its_own(self) -> Self:
        """The same table where the next change can be written down."""
        line = self._line
        if line.depth < _DEEP and self._upto < line.full:
            return self._begun(self, self._size, line.depth + 1)
        upto, flat = line.flat
        if upto != self._upto:
            flat = self._flat()
            line.flat = self._upto, flat  # for all others that go on from here
        return self._begun(flat, self._size, 0)

    @classmethod
    def _begun(cls, base: Mapping[str, V], size: int, depth: int) -> Self:
        table = object.__new__(cls)
        table._line = _Line(base, size, depth)
        table._upto = 0
        table._size = size
        return table
