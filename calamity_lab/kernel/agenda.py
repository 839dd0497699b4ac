"""The pending commands, in order, each with what is known of its origin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple, overload

from msgspec import structs
from rpds import List, Queue

from calamity_lab.errors import CalamityError, InvalidValue, OutOfRange, repr_of
from calamity_lab.kernel.arguments import are_equal, is_a, span
from calamity_lab.kernel.clocks_and_ids import derived_ids
from calamity_lab.kernel.frozen import ComparedInPart, FrozenCollection, made, remade
from calamity_lab.kernel.identity import Identity, stored_name
from calamity_lab.kernel.recorded import NO_METADATA, RecordedEvent


class Pending(ComparedInPart, frozen=True, eq=False, gc=False):
    """A command that waits for its turn: its ids, and what caused it.

    ``cause`` is the event that made a process manager send it, ``sender`` that instance; both are None
    for a submitted command. ``depth`` counts the commands above it in the chain of causes. ``once`` marks a
    submitted command whose id was given, so that it is carried out once. A deadline has the time at which it
    is due, and its name, ``deadline``, also when it is due and pending; for other commands both are None.
    Since time passes before a deadline is carried out, its depth is 0.
    """

    command: Any
    command_id: str
    correlation_id: str
    depth: int = 0
    cause: RecordedEvent | None = None
    sender: Identity | None = None
    metadata: Mapping[str, Any] = NO_METADATA
    parent: Pending | None = None
    once: bool = False
    due_at: datetime | None = None
    deadline: str | None = None

    aside = frozenset({"parent", "once"})

    @property
    def causation_id(self) -> str | None:
        """The id of the event that caused the command; None for a submitted one."""
        return None if self.cause is None else self.cause.event_id

    @property
    def command_type(self) -> str:
        """The stored name of the command's class."""
        return stored_name(type(self.command))

    def chain(self) -> Iterator[Pending]:
        """The command and those above it, up to the submitted one."""
        pending: Pending | None = self
        while pending is not None:
            yield pending
            pending = pending.parent

    def __reduce__(self) -> Any:
        # One by one: a chain of causes may be longer than pickle can nest.
        chain = [structs.asdict(structs.replace(pending, parent=None)) for pending in self.chain()]
        return _chained, (chain[::-1],)

    def __repr__(self) -> str:
        if self.due_at is not None:
            return (
                f"Pending({repr_of(self.command)}, set by {self.sender}, due {self.due_at:%Y-%m-%d %H:%M:%S})"
            )
        origin = "submitted" if self.sender is None else f"sent by {self.sender}"
        return f"Pending({repr_of(self.command)}, {origin}, depth {self.depth})"

    def __hash__(self) -> int:
        return hash(self.command_id)


def _chained(chain: list[dict[str, Any]]) -> Pending | None:
    """The last command of a chain of causes, from the fields of each, the first cause first."""
    parent: Pending | None = None
    for known in chain:
        parent = Pending(**{**known, "parent": parent})
    return parent


class Failure(NamedTuple):
    """What could not be carried out, because a callback raised or what it returned cannot be stored.

    ``pending`` is the command that waits: it stays in the outbox. Where a process manager raised
    instead, ``process_manager`` is its stored name and ``position`` that of the event, which it gets again.
    """

    pending: Pending | None
    error: CalamityError
    process_manager: str | None = None
    position: int = 0


class Agenda(Sequence[Any], FrozenCollection):
    """The pending commands as a frozen sequence; ``pending`` has more of each.

    Commands that the command in progress causes gather behind one another; when it is done they go
    before all others, so that cascades run depth first. ``failed`` are commands that were set aside, because
    a callback raised; they are not pending.
    """

    # Any, because the stubs of rpds do not know all that these can do.
    _caused: Any  # a List, the latest first
    _front: Any  # a List
    _back: Any  # a Queue
    _length: int
    failed: tuple[Failure, ...]

    @classmethod
    def _of(cls, pending: Iterable[Pending] = (), failed: Iterable[Failure] = ()) -> Agenda:
        return made(cls, _NO_LIST, _NO_LIST, _NO_QUEUE, 0, tuple(failed)).submit(pending)

    @property
    def pending(self) -> tuple[Pending, ...]:
        """The entries, in order."""
        return tuple(self.entries())

    def entries(self) -> Iterator[Pending]:
        """The entries one by one, in order; costs what it yields."""
        if len(self._caused):
            yield from reversed(list(self._caused))
        yield from self._front
        yield from self._back

    def submit(self, pending: Iterable[Pending]) -> Agenda:
        """The agenda with further commands at its end."""
        back, length = self._back, self._length
        for entry in pending:
            back, length = back.enqueue(entry), length + 1
        return remade(self, _back=back, _length=length)

    def cause(self, pending: Iterable[Pending]) -> Agenda:
        """The agenda with commands that the command in progress caused."""
        caused, length = self._caused, self._length
        for entry in pending:
            caused, length = caused.push_front(entry), length + 1
        return remade(self, _caused=caused, _length=length)

    def fail(self, *failures: Failure) -> Agenda:
        """The agenda with further commands set aside."""
        return remade(self, failed=(*self.failed, *failures))

    def without(self, failure: Failure) -> Agenda:
        """The agenda without something that was set aside. Raises `OutOfRange` where it was not."""
        rest = tuple(each for each in self.failed if each is not failure and not are_equal(each, failure))
        if len(rest) == len(self.failed):
            raise OutOfRange(f"{repr_of(failure)} was not set aside. Choose one of run.failed")
        return remade(self, failed=rest)

    def take(self) -> tuple[Pending, Agenda]:
        """The first entry, and the agenda without it; what was caused so far goes before all others."""
        front, back, length = self._front, self._back, self._length - 1
        if len(self._caused):
            for entry in self._caused:
                front = front.push_front(entry)
        if len(front):
            first, front = front.first, front.rest
        else:
            first, back = back.peek(), back.dequeue()
        if not length and not self.failed:
            return first, _EMPTY
        return first, remade(self, _caused=_NO_LIST, _front=front, _back=back, _length=length)

    def find(self, which: int | str | Pending | Any) -> Pending:
        """The entry that is meant: by its index, by its command id, by the entry or the command itself.

        Raises `OutOfRange` where there is none, `InvalidValue` where several equal commands are meant.
        """
        return next(islice(self.entries(), self._index(which), None))

    def choose(self, which: int | str | Pending | Any) -> Agenda:
        """The agenda with that entry (see `find`) in front, also of what is still to be caused."""
        index = self._index(which)
        chosen = next(islice(self.entries(), index, None))
        rest = self.drop(index)
        caused = List([*rest._caused, chosen])
        return remade(rest, _caused=caused, _length=self._length)

    def drop(self, which: int | str | Pending | Any) -> Agenda:
        """The agenda without that entry (see `find`)."""
        index = self._index(which)
        parts = [list(reversed(list(self._caused))), list(self._front), list(self._back)]
        for part in parts:
            if index < len(part):
                del part[index]
                break
            index -= len(part)
        caused, front, back = parts
        return _restored(caused[::-1], front, back, self._length - 1, self.failed)

    def _index(self, which: Any) -> int:
        if type(which) is int:
            if -len(self) <= which < len(self):
                return which % len(self)
            raise OutOfRange(f"There is no pending command at index {repr_of(which)}. {self._indices()}")
        found = self._meant(which)
        if not found:
            raise OutOfRange(f"{_absent(which)}. {self._indices()}")
        if len(found) > 1:
            raise InvalidValue(
                f"{repr_of(which)} is pending more than once, at the indices {', '.join(map(str, found))}. "
                "Give the index, or the command id of one"
            )
        return found[0]

    def _meant(self, which: Any) -> list[int]:
        """The indices of the entries that may be meant; those of the very object, where there are any."""
        entries = list(self.entries())
        if is_a(which, Pending):
            which = which.command_id
        if is_a(which, str):
            wanted = str.__str__(which)
            return [n for n, entry in enumerate(entries) if entry.command_id == wanted][:1]
        same = [n for n, entry in enumerate(entries) if entry.command is which]
        return same or [n for n, entry in enumerate(entries) if are_equal(entry.command, which)]

    def _indices(self) -> str:
        if not self._length:
            return "The agenda is empty"
        return f"Choose an index from 0 to {self._length - 1}, a command id, or a command of the agenda"

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Any, ...]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if type(index) is slice:
            span(index, self._length)
            return tuple(self)[index]
        return next(islice(self, self._index(index), None))

    def __iter__(self) -> Iterator[Any]:
        return (pending.command for pending in self.entries())

    def __len__(self) -> int:
        return self._length

    def __bool__(self) -> bool:
        return self._length > 0

    def __eq__(self, other: Any) -> bool:
        if type(other) is Agenda:
            return self.pending == other.pending
        if type(other) in (tuple, list):
            return tuple(self) == tuple(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(pending.command_id for pending in self.entries()))

    def __reduce__(self) -> Any:
        parts = list(self._caused), list(self._front), list(self._back)
        return _restored, (*parts, self._length, self.failed)

    def __repr__(self) -> str:
        return f"Agenda([{', '.join([repr_of(command, None) for command in self])}])"


def _absent(which: Any) -> str:
    if is_a(which, str):
        return f"No command with the id {repr_of(which)} is pending"
    return f"{repr_of(which)} is not pending"


def caused(
    pending: Pending, origin: str, cause: RecordedEvent | None, sender: Identity, commands: Sequence[Any]
) -> tuple[Pending, ...]:
    """The commands with which an instance answers an event or a rejection, as they lie on the agenda.

    Their ids depend on ``origin``: the id of the event, or of the command that was rejected.
    """
    depth, correlation_id, metadata = pending.depth + 1, pending.correlation_id, pending.metadata
    fresh = derived_ids(origin, sender.stream_id, len(commands))
    return tuple([
        Pending(command, id_, correlation_id, depth, cause, sender, metadata, pending)
        for command, id_ in zip(commands, fresh, strict=True)
    ])  # fmt: skip


def _restored(
    caused: list[Pending],
    front: list[Pending],
    back: list[Pending],
    length: int,
    failed: tuple[Failure, ...],
) -> Agenda:
    """The agenda that was pickled or copied."""
    return made(Agenda, List(caused), List(front), Queue(back), length, failed)


_NO_LIST: List[Pending] = List()
_NO_QUEUE: Queue[Pending] = Queue()
_EMPTY = Agenda()
