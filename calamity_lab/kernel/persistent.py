"""A mapping and a sequence as values: a change gives a new version, and shares all else with the old one.

`PersistentMap` keeps versions that follow each other on one line: a list of values that only grows, of which
each version sees as many as there were, and for each name the ordinals of its values in that list. So a
change costs a hundred bytes, however many names there are. (The fat nodes of Driscoll, Sarnak, Sleator and
Tarjan, "Making Data Structures Persistent", 1989.) A second version that goes on from the same one gets a
line of its own.

`PersistentVector` is a trie of tuples, 32 wide, with a tail, after Bagwell's and Hickey's persistent vectors
(P. Bagwell, "Ideal Hash Trees", 2001; Clojure's PersistentVector). Versions that follow each other share
one growing tail, of which each sees no more than its own length.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast, overload

from calamity_lab.errors import UnknownKey, repr_of
from calamity_lab.kernel.arguments import a_text, span, wrong
from calamity_lab.kernel.frozen import FrozenCollection, made, remade
from calamity_lab.kernel.identity import Identity

V = TypeVar("V")

_FULL = 16  # A line takes so many changes for each name, then another begins: so nobody holds it for ever.
_NAMED = 8  # keys in a message
_SMALL = 32  # So many items are copied sooner than looked for in line after line.
_DEEP = 16  # The most lines that may refer to one another; then all items are copied to one new line.


class _Line:
    """What versions that follow each other share: what was there before them, and what each put."""

    __slots__ = ("base", "depth", "flat", "full", "ordinals", "tickets", "values")

    def __init__(self, base: Mapping[str, Any], size: int, depth: int) -> None:
        self.base = base
        self.depth = depth
        self.full = _FULL * (size + 4)
        self.values: list[Any] = []
        self.ordinals: dict[str, list[int]] = {}
        self.tickets = count()  # who draws the number of the next ordinal may put there, whatever threads do
        self.flat: tuple[int, dict[str, Any]] = (-1, {})  # all that one of the versions holds


class PersistentMap(Mapping[str, V], FrozenCollection, gc=False):
    """A frozen mapping; `insert` and `discard` give the next version, at a price that does not grow.

    Its names come in order; an `Identity` may be asked for where its stream id is the name. No value is None.
    """

    _line: _Line
    _upto: int  # how many of the line's values are seen
    _size: int

    if TYPE_CHECKING:

        def __new__(cls, items: Mapping[str, V] | None = None) -> Self: ...

    @classmethod
    def _of(cls, items: Mapping[str, V] | None = None) -> Self:
        held = dict(items or {})
        return cls._begun(held, len(held), 0)

    def get(self, key: Any, default: Any = None) -> Any:
        """The value under that name, or the default."""
        line = self._line
        try:
            ordinals = line.ordinals.get(key)
        except Exception as error:
            raise wrong("get(key)", key, "a stream id, as in 'BankAccount-1'") from error
        if ordinals is None:
            if type(key) is Identity:
                return self.get(key.stream_id, default)
            return line.base.get(key, default)
        ordinal = ordinals[-1]
        if ordinal >= self._upto:  # a later version has put another
            earlier = bisect_left(ordinals, self._upto)
            if not earlier:
                return line.base.get(key, default)
            ordinal = ordinals[earlier - 1]
        value = line.values[ordinal]
        return default if value is None else value

    def insert(self, name: str, value: V) -> Self:
        """The table with that value under that name."""
        if type(name) is not str:
            name = a_text("insert(name)", name, "'BankAccount-1'")
        line, ordinal = self._line, self._upto
        if len(line.values) != ordinal or ordinal == line.full or next(line.tickets) != ordinal:
            return self._on_a_line_of_its_own().insert(name, value)
        ordinals = line.ordinals.get(name)
        if ordinals is None:
            before = line.base.get(name)
            line.ordinals[name] = [ordinal]
        else:
            before = line.values[ordinals[-1]]
            ordinals.append(ordinal)
        line.values.append(value)
        size = self._size + (before is None) - (value is None)
        return remade(self, _upto=ordinal + 1, _size=size)

    def discard(self, name: str) -> Self:
        """The table without that name."""
        return self if self.get(name) is None else self.insert(name, cast("V", None))

    def __getitem__(self, key: str) -> V:
        value = self.get(key)
        if value is None:
            known = ", ".join(list(self)[:_NAMED])
            raise UnknownKey(f"there is no {repr_of(key)} here; there are: {known or 'none'}")
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
        held = ", ".join([f"{name!r}: {repr_of(value, None)}" for name, value in self.items()])
        return f"{type(self).__name__}({{{held}}})"

    def __reduce__(self) -> Any:
        return type(self), (dict(self),)

    def _flat(self) -> dict[str, V]:
        """All that the table holds, as a dict of its own."""
        base = self._line.base
        flat = base._flat() if isinstance(base, PersistentMap) else dict(base)
        for name in tuple(self._line.ordinals):
            value = self.get(name)
            if value is None:
                flat.pop(name, None)
            else:
                flat[name] = value
        return flat

    def _on_a_line_of_its_own(self) -> Self:
        """The same table where the next change can be written down."""
        line = self._line
        if self._size > _SMALL and line.depth < _DEEP and self._upto < line.full:
            return self._begun(self, self._size, line.depth + 1)
        upto, flat = line.flat
        if upto != self._upto:
            flat = self._flat()
            line.flat = self._upto, flat  # for all others that go on from here
        return self._begun(flat, self._size, 0)

    @classmethod
    def _begun(cls, base: Mapping[str, V], size: int, depth: int) -> Self:
        return made(cls, _Line(base, size, depth), 0, size)


T = TypeVar("T")

_BITS = 5
_WIDTH = 1 << _BITS
_MASK = _WIDTH - 1

_Node = tuple[Any, ...]


class PersistentVector(Sequence[T], FrozenCollection, Generic[T]):
    """A frozen sequence. `append` and `take` cost the logarithm of its length, and copy no history."""

    _length: int
    _shift: int
    _root: _Node
    _tail: list[Any]  # shared by versions that follow each other; this one ends where its length says

    if TYPE_CHECKING:

        def __new__(cls, items: Iterable[T] = ()) -> Self: ...

    @classmethod
    def _of(cls, items: Iterable[T] = ()) -> Self:
        return made(cls, 0, _BITS, (), [])._gather(items)

    def append(self, item: T) -> Self:
        """The vector with ``item`` behind all others."""
        length, shift, root, tail = self._length, self._shift, self._root, self._tail
        ordinal = length & _MASK
        if ordinal:
            if len(tail) == ordinal:
                tail.append(item)
            # Another version (or another thread) may have come first: then this one gets a tail of its own.
            if tail[ordinal] is not item:
                tail = [*tail[:ordinal], item]
        else:
            if length:
                shift, root = _push(shift, root, length - _WIDTH, tuple(tail[:_WIDTH]))
            tail = [item]
        return remade(self, _length=length + 1, _shift=shift, _root=root, _tail=tail)

    def extend(self, items: Iterable[T]) -> Self:
        """The vector with all ``items`` behind it, in order."""
        if not self._length:
            return self._gather(items)
        vector = self
        for item in items:
            vector = vector.append(item)
        return vector

    def _gather(self, items: Iterable[T]) -> Self:
        """A vector of many items at once, where there was none."""
        length, shift, root = 0, _BITS, cast("_Node", ())
        tail: list[Any] = []
        for item in items:
            if len(tail) == _WIDTH:
                shift, root = _push(shift, root, length - _WIDTH, tuple(tail))
                tail = []
            tail.append(item)
            length += 1
        return remade(self, _length=length, _shift=shift, _root=root, _tail=tail)

    def take(self, count: int) -> Self:
        """The first ``count`` items, sharing everything with this vector."""
        if count >= self._length:
            return self
        if count <= 0:
            return type(self)()
        leaves = (count - 1) & ~_MASK
        tail = self._leaf(count - 1)
        tail = tail if tail is self._tail else list(tail[: count - leaves])
        shift, root = (self._shift, _cut(self._root, self._shift, leaves - 1)) if leaves else (_BITS, ())
        while shift > _BITS and len(root) == 1:
            shift, root = shift - _BITS, root[0]
        return remade(self, _length=count, _shift=shift, _root=root, _tail=tail)

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
        if type(index) is slice:
            start, stop, stride = span(index, self._length)
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
        if isinstance(other, (PersistentVector, list, tuple)):
            return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"PersistentVector({list(self)!r})"

    def __reduce__(self) -> Any:
        return type(self), (list(self),)

    def _leaf(self, index: int) -> Any:
        """The leaf that holds an index below the length; a tail may hold more than is this vector's."""
        if index >= (self._length - 1) & ~_MASK:
            return self._tail
        node = self._root
        for level in range(self._shift, 0, -_BITS):
            node = node[(index >> level) & _MASK]
        return node


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
