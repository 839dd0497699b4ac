"""The pending commands, in order, each with what is known of its origin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, overload

from rpds import List

from calamity_lab.errors import OutOfRange
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.vector import Vector


class Pending(NamedTuple):
    """A command that waits for its turn: its ids, and what caused it.

    ``cause`` is the event that made a process manager send it, ``sender`` that instance; both are None
    for a submitted command. ``depth`` counts the commands above it in the chain of causes.
    """

    command: Any
    command_id: str
    correlation_id: str
    depth: int = 0
    cause: RecordedEvent | None = None
    sender: Identity | None = None
    metadata: Mapping[str, Any] = {}
    parent: Pending | None = None

    @property
    def causation_id(self) -> str | None:
        """The id of the event that caused the command; None for a submitted one."""
        return None if self.cause is None else self.cause.event_id

    @property
    def command_type(self) -> str:
        """The name of the command's class."""
        return type(self.command).__name__

    def chain(self) -> Iterator[Pending]:
        """The command and those above it, up to the submitted one."""
        pending: Pending | None = self
        while pending is not None:
            yield pending
            pending = pending.parent

    def __repr__(self) -> str:
        origin = "submitted" if self.sender is None else f"sent by {self.sender}"
        return f"Pending({self.command!r}, {origin}, depth {self.depth})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pending) and self[:-1] == other[:-1]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.command_id)


class Agenda(Sequence[Any]):
    """The pending commands as a frozen sequence; ``pending`` tells more of each.

    Commands that the command in progress causes gather behind one another; when it is done they go
    before all others, so that cascades run depth first.
    """

    __slots__ = ("_back", "_caused", "_front", "_start")

    _caused: Vector[Pending]
    _front: List[Pending]
    _back: Vector[Pending]
    _start: int

    def __new__(cls, pending: Iterable[Pending] = ()) -> Agenda:
        return _make(Vector(), List(), Vector(pending), 0)

    @property
    def pending(self) -> tuple[Pending, ...]:
        """The entries, in order."""
        return tuple(self.entries())

    def entries(self) -> Iterator[Pending]:
        """The entries one by one, in order; costs what it yields."""
        yield from self._caused
        yield from self._front
        yield from self._back.iterate(self._start)

    def submit(self, pending: Iterable[Pending]) -> Agenda:
        """The agenda with further commands at its end."""
        return _make(self._caused, self._front, self._back.extend(pending), self._start)

    def cause(self, pending: Iterable[Pending]) -> Agenda:
        """The agenda with commands that the command in progress caused."""
        return _make(self._caused.extend(pending), self._front, self._back, self._start)

    def settle(self) -> Agenda:
        """The agenda after the command in progress is done: what it caused comes first."""
        if not len(self._caused):
            return self
        front = self._front
        for pending in reversed(self._caused):
            front = front.push_front(pending)
        return _make(Vector(), front, self._back, self._start)

    def take(self) -> tuple[Pending, Agenda]:
        """The first entry, and the agenda without it."""
        if len(self._front):
            return self._front.first, _make(self._caused, self._front.rest, self._back, self._start)
        return self._back[self._start], _make(self._caused, self._front, self._back, self._start + 1)

    def choose(self, index: int) -> Agenda:
        """The agenda with the entry at ``index`` moved to the front."""
        entries, index = list(self.entries()), self._place(index)
        return self._reordered([entries.pop(index), *entries])

    def drop(self, index: int) -> Agenda:
        """The agenda without the entry at ``index``."""
        entries, index = list(self.entries()), self._place(index)
        del entries[index]
        return self._reordered(entries)

    def _reordered(self, entries: list[Pending]) -> Agenda:
        return _make(Vector(), List(), Vector(entries), 0)

    def _place(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            there = f"0 to {len(self) - 1}" if len(self) else "none: the agenda is empty"
            raise OutOfRange(f"no pending command at {index}; the places are {there}")
        return index % len(self)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Any, ...]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return tuple(self)[index]
        place = self._place(index)
        for n, pending in enumerate(self.entries()):
            if n == place:
                return pending.command
        raise AssertionError("an agenda is as long as its entries")

    def __iter__(self) -> Iterator[Any]:
        return (pending.command for pending in self.entries())

    def __len__(self) -> int:
        return len(self._caused) + len(self._front) + len(self._back) - self._start

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (Agenda, tuple, list)):
            return tuple(self) == tuple(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(pending.command_id for pending in self.entries()))

    def __repr__(self) -> str:
        return f"Agenda({list(self)!r})"


def _make(caused: Vector[Pending], front: List[Pending], back: Vector[Pending], start: int) -> Agenda:
    agenda = object.__new__(Agenda)
    agenda._caused = caused
    agenda._front = front
    agenda._back = back
    agenda._start = start
    return agenda
