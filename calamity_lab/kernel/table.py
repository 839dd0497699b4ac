"""A mapping from names as a value: old versions stay good, and share what they have in common.

All versions of a table share one register, in which each name has a place for good; the values stand in a
trie of tuples, 16 wide, by place. A change of one among a thousand copies half as many bytes as in rpds's
HashTrieMap (540 against 1,100), and that is most of what a kept moment weighs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, Self, TypeVar, cast

from calamity_lab.kernel.identity import Identity

V = TypeVar("V")

_BITS = 4
_WIDTH = 1 << _BITS
_MASK = _WIDTH - 1

_Node = tuple[Any, ...]


class _Register(dict[str, int]):
    """The place of each name that any version of a table ever had; it only grows."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = count()

    def __missing__(self, name: str) -> int:
        return self.setdefault(name, next(self._next))  # never the same place twice, whatever threads do


class Table(Mapping[str, V]):
    """A frozen mapping; `insert` and `discard` give the next version and cost the logarithm of its size.

    Its names come in order; an `Identity` may be asked for where its stream id is the name. No value is None.
    """

    __slots__ = ("_level", "_register", "_root", "_size")

    _register: _Register
    _root: _Node
    _level: int
    _size: int

    def __new__(cls, items: Mapping[str, V] | None = None) -> Self:
        table = cls._made(_Register(), (), 0, 0)
        for name, value in (items or {}).items():
            table = table.insert(name, value)
        return table

    def get(self, key: Any, default: Any = None) -> Any:
        """The value under that name, or the default."""
        place, level, node = self._register.get(key), self._level, self._root
        if place is None:
            return self.get(key.stream_id, default) if key.__class__ is Identity else default
        try:
            while level:
                node = node[place >> level & _MASK]
                level -= _BITS
            value = node[place & _MASK]
        except IndexError:  # nodes end behind their last value
            return default
        return default if value is None or place >> self._level + _BITS else value

    def insert(self, name: str, value: V) -> Self:
        """The table with that value under that name."""
        place, level, node = self._register[name], self._level, self._root
        if place >> level + _BITS:
            return self._grown().insert(name, value)
        path, below = [], level
        try:
            while below:
                slot = place >> below & _MASK
                path.append((node, slot))
                node = node[slot]
                below -= _BITS
            fresh = node[place & _MASK] is None
        except IndexError:  # there is no node yet, or it ends before the place
            return self._made(self._register, _put(self._root, level, place, value), level, self._size + 1)
        copy = list(node)
        copy[place & _MASK] = value
        root = tuple(copy)
        while path:
            node, slot = path.pop()
            copy = list(node)
            copy[slot] = root
            root = tuple(copy)
        table = object.__new__(self.__class__)
        table._register = self._register
        table._root = root
        table._level = level
        table._size = self._size + 1 if fresh else self._size
        return table

    def discard(self, name: str) -> Self:
        """The table without that name."""
        if self.get(name) is None:
            return self
        root = _put(self._root, self._level, self._register[name], None)
        return self._made(self._register, root, self._level, self._size - 1)

    def __getitem__(self, key: str) -> V:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return cast("V", value)

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(name for name in tuple(self._register) if self.get(name) is not None))

    def __len__(self) -> int:
        return self._size

    def __hash__(self) -> int:
        return hash(frozenset(self.items()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self)!r})"

    def _grown(self) -> Self:
        return self._made(self._register, (self._root,), self._level + _BITS, self._size)

    @classmethod
    def _made(cls, register: _Register, root: _Node, level: int, size: int) -> Self:
        table = object.__new__(cls)
        table._register = register
        table._root = root
        table._level = level
        table._size = size
        return table


def _put(node: _Node, level: int, place: int, value: Any) -> _Node:
    """The node with a value at a place below it."""
    slot, length = place >> level & _MASK, len(node)
    if level:
        value = _put(node[slot] if slot < length else (), level - _BITS, place, value)
    if slot < length:
        return (*node[:slot], value, *node[slot + 1 :])
    return (*node, *([() if level else None] * (slot - length)), value)
