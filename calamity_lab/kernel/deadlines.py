"""Deadlines: commands that are to be sent later, in the order in which they are due, as a value.

A process manager sets them by answering with `After` or `At`, and takes them off with `Cancel`. A deadline is
a `Pending` command with ``due_at`` and with a name, ``deadline``, that belongs to the instance which set it.
It waits in ``stack.deadlines`` until time passes: `calamity_lab.kernel.run.elapse` puts what is due on the
agenda. From then on it is a pending command; until it is taken up, its instance may still take it off.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import reduce
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar, overload

from msgspec import structs

from calamity_lab.errors import InvalidValue, ModelError, OutOfRange, repr_of
from calamity_lab.kernel.agenda import Agenda, Pending, caused
from calamity_lab.kernel.arguments import a_list, is_a, span, wrong
from calamity_lab.kernel.frozen import FrozenCollection, made, remade
from calamity_lab.kernel.identity import Identity, stream_id_of
from calamity_lab.kernel.messages import After, At, Cancel, Later, deadline_name
from calamity_lab.kernel.persistent import PersistentMap
from calamity_lab.kernel.recorded import RecordedEvent

T = TypeVar("T")

_MOST = 128
"""Parts of a node at most: setting a deadline copies its node and those above it, not the list."""

_Key = tuple[datetime, int]


class _Entry(NamedTuple):
    """A deadline in its place: by when it is due, then by when it was set."""

    key: _Key
    pending: Pending


class _Node(NamedTuple):
    """A part of the list, with the key of its first deadline: nodes, or at the bottom deadlines, in order.

    Together they are a B-tree (R. Bayer and E. McCreight, "Organization and Maintenance of Large Ordered
    Indexes", 1972) of which nodes that grow empty are dropped, and the others are not joined.
    """

    key: _Key
    parts: tuple[_Node, ...] | tuple[_Entry, ...]

    def entries(self) -> Iterator[_Entry]:
        """The deadlines in order."""
        for part in self.parts:
            if isinstance(part, _Node):
                yield from part.entries()
            else:
                yield part


_key_of = attrgetter("key")


class Deadlines(Sequence[Pending], FrozenCollection):
    """The deadlines of a stack, in order of when they are due; those due at once in the order of setting.

    ``deadlines.of("Transfer-t1")`` are those of one instance. Setting and taking off cost the same however
    many there are.
    """

    _list: _Node | None  # None where no deadline waits
    _by_instance: PersistentMap[tuple[_Entry, ...]]
    _due: PersistentMap[tuple[Pending, ...]]  # what time put on the agenda, until it is taken up
    _length: int
    _number: int

    @classmethod
    def _of(cls, deadlines: Iterable[Pending] = ()) -> Deadlines:
        works = "the deadlines of another stack, as in stack.deadlines"
        entries, by_instance = [], dict[str, tuple[_Entry, ...]]()
        for number, each in enumerate(a_list("Deadlines(deadlines)", deadlines, works, of=Pending)):
            if each.due_at is None or not each.deadline or each.sender is None:
                raise wrong("Deadlines(deadline)", each, works)
            entry, stream_id = _Entry((each.due_at, number), each), each.sender.stream_id
            entries.append(entry)
            by_instance[stream_id] = (*by_instance.get(stream_id, ()), entry)
        count = len(entries)
        return made(cls, _list_of(entries), PersistentMap(by_instance), PersistentMap(), count, count)

    def of(self, instance: str | Identity) -> tuple[Pending, ...]:
        """The deadlines of a process manager instance, in the order in which they were set."""
        return tuple([entry.pending for entry in self._by_instance.get(stream_id_of(instance), ())])

    @property
    def first(self) -> Pending | None:
        """The deadline that is due next; None where there is none."""
        return next(iter(self), None)

    def due(self, now: datetime) -> tuple[Pending, ...]:
        """The deadlines that are due at a time, in order."""
        found = []
        for entry in self._entries():
            if entry.key[0] > now:
                break
            found.append(entry.pending)
        return tuple(found)

    def set(self, deadline: Pending) -> Deadlines:
        """With a further deadline; one of the same instance and name is to be taken off before."""
        assert deadline.due_at is not None, "a deadline has a time"
        assert deadline.sender is not None, "a deadline belongs to an instance"
        entry = _Entry((deadline.due_at, self._number), deadline)
        stream_id = deadline.sender.stream_id
        by_instance = self._by_instance.insert(stream_id, (*self._by_instance.get(stream_id, ()), entry))
        number, in_order = self._number + 1, _with(self._list, entry)
        return remade(
            self, _list=in_order, _by_instance=by_instance, _length=self._length + 1, _number=number
        )

    def without(
        self, instance: str, name: str | None = None
    ) -> tuple[tuple[Pending, ...], tuple[Pending, ...], Deadlines]:
        """The deadlines of an instance that have the name (without a name: all), and the others.

        First come those that wait, then those that are due and were not taken up.
        """
        if not self._length and not self._due:
            return (), (), self
        waiting, left = _parted(self._by_instance.get(instance, ()), name, lambda each: each.pending.deadline)
        due, still_due = _parted(self._due.get(instance, ()), name, lambda each: each.deadline)
        if not waiting and not due:
            return (), (), self
        rest = remade(
            self,
            _list=reduce(_without, waiting, self._list),
            _by_instance=_kept(self._by_instance, instance, left),
            _due=_kept(self._due, instance, still_due),
            _length=self._length - len(waiting),
        )
        return tuple([entry.pending for entry in waiting]), due, rest

    def fallen_due(self, deadlines: Iterable[Pending]) -> Deadlines:
        """Without deadlines that are on the agenda now; they are known until they are taken up."""
        rest = self
        for each in deadlines:
            stream_id, name = each.sender.stream_id, each.deadline  # type: ignore[union-attr]
            _, _, rest = rest.without(stream_id, name)
            rest = remade(rest, _due=rest._due.insert(stream_id, (*rest._due.get(stream_id, ()), each)))
        return rest

    def taken_up(self, deadline: Pending) -> Deadlines:
        """Without a deadline that was due, when its command is taken from the agenda."""
        stream_id = deadline.sender.stream_id  # type: ignore[union-attr]
        known = self._due.get(stream_id, ())
        left = tuple([each for each in known if each.command_id != deadline.command_id])
        if len(left) == len(known):
            return self
        return remade(self, _due=_kept(self._due, stream_id, left))

    def find(self, which: int | str | Pending | Any) -> Pending:
        """A deadline by its index, its command id, its name, or itself. Raises `OutOfRange` if there is none.

        Raises `InvalidValue` for a name that several have.
        """
        if type(which) is int:
            if 0 <= which < self._length:
                return self[which]
            raise OutOfRange(f"there is no deadline at index {which}. {self._known()}")
        wanted: Any = getattr(which, "command_id", which)
        found = [d for d in self if wanted in (d.command_id, d.deadline) or wanted is d.command]
        if not found:
            raise OutOfRange(f"{repr_of(which)} is not a deadline here. {self._known()}")
        if len(found) > 1:
            raise InvalidValue(
                f"{repr_of(which)} is the name of more than one deadline. Give one of them, as in "
                f"lab.deadlines[{self._indices(found[0])}]"
            )
        return found[0]

    def _indices(self, pending: Pending) -> int:
        return next(n for n, each in enumerate(self) if each is pending)

    def _known(self) -> str:
        if not self._length:
            return "No deadline is set"
        shown = ", ".join(f"{n}: {each.deadline}" for n, each in enumerate(islice(self, 5)))
        return f"Set are {shown}{', ...' if self._length > 5 else ''}"

    @overload
    def __getitem__(self, index: int) -> Pending: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Pending, ...]: ...
    def __getitem__(self, index: int | slice) -> Pending | tuple[Pending, ...]:
        if isinstance(index, slice):
            span(index, self._length)  # raises for what is no slice of whole numbers
            return tuple(self)[index]
        if not is_a(index, int) or not -self._length <= index < self._length:
            raise OutOfRange(f"there is no deadline at index {repr_of(index)}. {self._known()}")
        return next(islice(self, index % self._length, None))

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Pending]:
        for entry in self._entries():
            yield entry.pending

    def _entries(self) -> Iterator[_Entry]:
        return iter(()) if self._list is None else self._list.entries()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Deadlines) and len(self) == len(other) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(self._length)

    def __repr__(self) -> str:
        shown = ", ".join(repr_of(each, None) for each in islice(self, 10))
        return f"Deadlines([{shown}{', ...' if self._length > 10 else ''}])"

    def __reduce__(self) -> Any:
        return _restored, (list(self), [each for due in self._due.values() for each in due])


def _restored(waiting: Iterable[Pending], due: Sequence[Pending]) -> Deadlines:
    """The deadlines that wait, with those that are due and were not taken up."""
    return Deadlines([*due, *waiting]).fallen_due(due)


def waiting_and_due(waiting: Iterable[Pending], agenda: Agenda) -> Deadlines:
    """The deadlines that wait, with those that are due and on the agenda."""
    return _restored(waiting, [each for each in agenda.entries() if each.deadline is not None])


def _list_of(entries: list[_Entry]) -> _Node | None:
    """The list of deadlines that come in any order."""
    parts: list[Any] = sorted(entries, key=_key_of)
    while len(parts) > 1 or (parts and isinstance(parts[0], _Entry)):
        parts = [_node(tuple(parts[at : at + _MOST // 2])) for at in range(0, len(parts), _MOST // 2)]
    return parts[0] if parts else None


def _node(parts: tuple[Any, ...]) -> _Node:
    return _Node(parts[0].key, parts)


def _with(root: _Node | None, entry: _Entry) -> _Node:
    made: tuple[_Node, ...] = (_node((entry,)),) if root is None else _inserted(root, entry)
    return made[0] if len(made) == 1 else _node(made)


def _inserted(node: _Node, entry: _Entry) -> tuple[_Node, ...]:
    """The node with a deadline more: two nodes, if one would be too large."""
    parts: list[Any] = list(node.parts)
    if isinstance(parts[0], _Entry):
        insort(parts, entry, key=_key_of)
    else:
        at = max(bisect_right(parts, entry.key, key=_key_of) - 1, 0)
        parts[at : at + 1] = _inserted(parts[at], entry)
    middle = len(parts) // 2 if len(parts) > _MOST else 0
    return tuple([_node(tuple(half)) for half in (parts[:middle], parts[middle:]) if half])


def _without(node: _Node | None, entry: _Entry) -> _Node | None:
    """The node without one of its deadlines; None if it was the last."""
    assert node is not None, "the deadline is there"
    at = bisect_right(node.parts, entry.key, key=_key_of) - 1
    part = node.parts[at]
    left = _without(part, entry) if isinstance(part, _Node) else None
    parts = (*node.parts[:at], *(() if left is None else (left,)), *node.parts[at + 1 :])
    return _node(parts) if parts else None


NO_DEADLINES = Deadlines()


def _parted(
    held: tuple[T, ...], name: str | None, name_of: Callable[[T], str | None]
) -> tuple[tuple[T, ...], tuple[T, ...]]:
    """Those with a name (None: all), and the others."""
    named = tuple([each for each in held if name in (None, name_of(each))])
    return named, tuple([each for each in held if name not in (None, name_of(each))])


def _kept(known: PersistentMap[Any], stream_id: str, left: tuple[Any, ...]) -> PersistentMap[Any]:
    return known.insert(stream_id, left) if left else known.discard(stream_id)


# The commands that an instance answered for now, and what it changes of its deadlines.
Answers = tuple[tuple[Pending, ...], "Changes"]


def answers(
    pending: Pending,
    origin: str,
    cause: RecordedEvent | None,
    sender: Identity,
    given: tuple[Any, ...],
    since: datetime,
) -> Answers:
    """What an instance answered to an event or a rejection.

    ``given`` are its commands and deadlines, in order; ``since`` is the time from which delays count; see
    `calamity_lab.kernel.agenda.caused`.
    """
    answered = caused(pending, origin, cause, sender, given)
    if not has_later(given):
        return answered, NO_CHANGES
    commands, changes = [], NO_CHANGES
    for each in answered:
        later = each.command
        if isinstance(later, Cancel):
            off = TakenOff(sender.stream_id, later.name)
            changes = changes.then(Changes((), (off,), (later.name,)))
        elif isinstance(later, After | At):
            name = deadline_name(later)
            due_at = _due_at(later, since, sender)
            made = structs.replace(each, command=later.command, depth=0, due_at=due_at, deadline=name)
            changes = changes.then(Changes((made,), (TakenOff(sender.stream_id, name),)))
        else:
            commands.append(each)
    return tuple(commands), changes


def has_later(given: Iterable[Any]) -> bool:
    """Whether a deadline is set or taken off among the answers of an instance."""
    return any([isinstance(each, Later) for each in given])


def _due_at(later: After | At, since: datetime, sender: Identity) -> datetime:
    try:
        return (since + later.delay if isinstance(later, After) else later.time).astimezone(UTC)
    except OverflowError as error:
        raise ModelError(
            f"{sender.category}.handle",
            f"returned {repr_of(later)}, which is due after the year 9999; give an earlier time, or leave "
            "the deadline out if nothing is to happen",
        ) from error


class TakenOff(NamedTuple):
    """Deadlines that an instance takes off: those with the name, or all of them where the name is None."""

    stream_id: str
    name: str | None


class Changes(NamedTuple):
    """What the answers of an instance change of the deadlines.

    ``taken_off`` comes before ``set``. ``cancelled`` are the names that `Cancel` gave, for which there may be
    no deadline.
    """

    set: tuple[Pending, ...] = ()
    taken_off: tuple[TakenOff, ...] = ()
    cancelled: tuple[str, ...] = ()

    def then(self, other: Changes) -> Changes:
        """These changes, and others after them, as one."""
        gone = other.taken_off
        kept = tuple([each for each in self.set if not any(_takes_off(off, each) for off in gone)])
        return Changes((*kept, *other.set), (*self.taken_off, *gone), (*self.cancelled, *other.cancelled))


NO_CHANGES = Changes()


def all_taken_off(instance: Identity) -> Changes:
    """The changes when an instance stops: all of its deadlines are taken off."""
    return Changes((), (TakenOff(instance.stream_id, None),))


def _takes_off(off: TakenOff, deadline: Pending) -> bool:
    is_of = deadline.sender is not None and deadline.sender.stream_id == off.stream_id
    return is_of and off.name in (None, deadline.deadline)


class AfterChanges(NamedTuple):
    """The deadlines and the agenda after changes.

    ``taken_off`` are the deadlines that were taken off, and ``not_there`` the names that `Cancel` gave for
    nothing.
    """

    deadlines: Deadlines
    agenda: Agenda
    taken_off: tuple[Pending, ...] = ()
    not_there: tuple[str, ...] = ()


def change(deadlines: Deadlines, agenda: Agenda, changes: Changes) -> AfterChanges:
    """Take deadlines off and set others; one that is due and still on the agenda is taken off there."""
    gone: list[Pending] = []
    for stream_id, name in changes.taken_off:
        waiting, due, deadlines = deadlines.without(stream_id, name)
        pending, agenda = _withdrawn(agenda, due)
        gone += [*pending, *waiting]
    for each in changes.set:
        deadlines = deadlines.set(each)
    names = {each.deadline for each in gone}
    missing = tuple([name for name in changes.cancelled if name not in names])
    return AfterChanges(deadlines, agenda, tuple(gone), missing)


def _withdrawn(agenda: Agenda, due: tuple[Pending, ...]) -> tuple[list[Pending], Agenda]:
    """Those of these deadlines that are on the agenda, and the agenda without them."""
    ids = {each.command_id for each in due}
    pending = [each for each in agenda.entries() if each.command_id in ids] if ids else []
    for each in pending:
        agenda = agenda.drop(each)
    return pending, agenda
