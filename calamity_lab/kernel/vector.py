"""An append-only sequence as a value: old versions stay good, and share what they have in common.

A trie of tuples, 32 wide, with a tail, after Bagwell's and Hickey's persistent vectors
(P. Bagwell, "Ideal Hash Trees", 2001; Clojure's PersistentVector). Versions that follow each other share
one growing tail, of which each sees no more than its own length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar, cast, overload

T = TypeVar("T")

_BITS = 5
_WIDTH = 1 << _BITS
_MASK = _WIDTH - 1

_Node = tuple[Any, ...]


class Vector(Sequence[T], Generic[T]):
    """A frozen sequence. `append` and `take` cost the logarithm of its length, and copy no history."""

    __slots__ = ("_length", "_root", "_shift", "_tail")

    _length: int
    _shift: int
    _root: _Node
    _tail: list[Any]  # shared by versions that follow each other; this one ends where its length says

    def __new__(cls, items: Iterable[T] = ()) -> Vector[T]:
        return _EMPTY._gather(items) if items else _EMPTY

    def append(self, item: T) -> Vector[T]:
        """The vector with ``item`` behind all others."""
        length, shift, root, tail = self._length, self._shift, self._root, self._tail
        place = length & _MASK
        if place:
            if len(tail) == place:
                tail.append(item)
            # Another version (or another thread) may have come first: then this one gets a tail of its own.
            if tail[place] is not item:
                tail = [*tail[:place], item]
        else:
            if length:
                shift, root = _push(shift, root, length - _WIDTH, tuple(tail[:_WIDTH]))
            tail = [item]
        vector: Vector[T] = object.__new__(Vector)
        vector._length = length + 1
        vector._shift = shift
        vector._root = root
        vector._tail = tail
        return vector

    def extend(self, items: Iterable[T]) -> Vector[T]:
        """The vector with all ``items`` behind it, in order."""
        if not self._length:
            return self._gather(items)
        vector = self
        for item in items:
            vector = vector.append(item)
        return vector

    def _gather(self, items: Iterable[T]) -> Vector[T]:
        """A vector of many items at once, where there was none."""
        length, shift, root = 0, _BITS, cast("_Node", ())
        tail: list[Any] = []
        for item in items:
            if len(tail) == _WIDTH:
                shift, root = _push(shift, root, length - _WIDTH, tuple(tail))
                tail = []
            tail.append(item)
            length += 1
        return _make(length, shift, root, tail) if length else self

    def take(self, count: int) -> Vector[T]:
        """The first ``count`` items, sharing everything with this vector."""
        if count >= self._length:
            return self
        if count <= 0:
            return _EMPTY
        leaves = (count - 1) & ~_MASK
        tail = self._leaf(count - 1)
        tail = tail if tail is self._tail else list(tail[: count - leaves])
        if not leaves:
            return _make(count, _BITS, (), tail)
        shift, root = self._shift, _cut(self._root, self._shift, leaves - 1)
        while shift > _BITS and len(root) == 1:
            shift, root = shift - _BITS, root[0]
        return _make(count, shift, root, tail)

    def iterate(self, start: int = 0, stop: int | None = None) -> Iterator[T]:
        """The items from ``start`` up to ``stop``, leaf by leaf; costs what it yields."""
        stop = self._length if stop is None else min(stop, self._length)
        start = max(start, 0)
        while start < stop:
            base = start & ~_MASK
            leaf = self._leaf(start)
            yield from leaf[start - base : stop - base]
            start = base + _WIDTH

    def backwards(self, stop: int = 0) -> Iterator[T]:
        """The items from the last down to index ``stop``."""
        index = self._length
        while index > stop:
            base = (index - 1) & ~_MASK
            leaf = self._leaf(index - 1)
            yield from reversed(leaf[max(stop - base, 0) : index - base])
            index = base

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        if isinstance(index, slice):
            start, stop, stride = index.indices(self._length)
            if stride == 1:
                return tuple(self.iterate(start, stop))
            return tuple(self[i] for i in range(start, stop, stride))
        if index < 0:
            index += self._length
        if not 0 <= index < self._length:
            raise IndexError(f"index {index} is beyond the {self._length} items there are")
        item: T = self._leaf(index)[index & _MASK]
        return item

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        return self.iterate()

    def __reversed__(self) -> Iterator[T]:
        return self.backwards()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (Vector, list, tuple)):
            return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Vector({list(self)!r})"

    def _leaf(self, index: int) -> Any:
        """The leaf that holds an index below the length; a tail may hold more than is this vector's."""
        if index >= (self._length - 1) & ~_MASK:
            return self._tail
        node = self._root
        for level in range(self._shift, 0, -_BITS):
            node = node[(index >> level) & _MASK]
        return node


def _make(length: int, shift: int, root: _Node, tail: list[Any]) -> Vector[Any]:
    vector: Vector[Any] = object.__new__(Vector)
    vector._length = length
    vector._shift = shift
    vector._root = root
    vector._tail = tail
    return vector


def _push(shift: int, root: _Node, index: int, leaf: _Node) -> tuple[int, _Node]:
    """Hang a full leaf, whose first item has ``index``, into the trie; grow a level when it is full."""
    if index >> (shift + _BITS):
        return shift + _BITS, (root, _path(shift, leaf))
    return shift, _hang(root, shift, index, leaf)


def _hang(node: _Node, level: int, index: int, leaf: _Node) -> _Node:
    if level == _BITS:
        return (*node, leaf)
    slot = (index >> level) & _MASK
    if slot == len(node):
        return (*node, _path(level - _BITS, leaf))
    return (*node[:slot], _hang(node[slot], level - _BITS, index, leaf))


def _path(level: int, leaf: _Node) -> _Node:
    node = leaf
    while level:
        node, level = (node,), level - _BITS
    return node


def _cut(node: _Node, level: int, last: int) -> _Node:
    """The node with nothing behind the leaf that holds index ``last``."""
    slot = (last >> level) & _MASK
    if level == _BITS:
        return node[: slot + 1]
    return (*node[:slot], _cut(node[slot], level - _BITS, last))


_EMPTY: Vector[Any] = _make(0, _BITS, (), [])
