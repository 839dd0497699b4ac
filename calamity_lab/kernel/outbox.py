"""What a store that outlives the stack keeps beside the events, and how a run uses it.

Such a store knows for each process manager, by its stored name, up to which event it was handed the history:
its mark. And it has the outbox: each command that a process manager sent, until it is settled. Handing an
event on moves the mark and fills the outbox in one transaction; the append of a command's events settles the
command in the same transaction. So what happened is recorded, and never derived from the rules of today::

    append(events, settles=X)      X is settled, and its events are recorded
    hand_on("Transfer", 7, 8, ...) the mark moves from 7 to 8, and what Transfer sent is in the outbox

When another process was first, the store writes nothing and says so: `hand_on` returns None, `record` and
`settle` raise `AlreadySettled`. A stack whose event store is a value needs none of this.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from inspect import signature
from itertools import takewhile
from typing import Any, NamedTuple, Self, cast

from msgspec import structs

from calamity_lab.errors import (
    InvalidValue,
    ModelError,
    Rejected,
    SerializationError,
    StoreError,
    UnknownName,
    WrongMark,
)
from calamity_lab.kernel import ask
from calamity_lab.kernel.agenda import Failure, Pending
from calamity_lab.kernel.arguments import (
    a_function,
    a_list,
    a_text,
    a_time,
    a_whole_number,
    an_instance,
    store_after,
)
from calamity_lab.kernel.deadlines import NO_CHANGES, Answers, Changes, TakenOff, all_taken_off, answers
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.folding import Verb, identity_in, verb_of
from calamity_lab.kernel.identity import Identity, identify, stored_name
from calamity_lab.kernel.in_memory_stores import InMemoryProcessManagerStore
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import KeptRejection, RecordedEvent, of_recorded
from calamity_lab.kernel.stack import Stack, changed, moved

_log = logging.getLogger("calamity_lab")


class Outcome(NamedTuple):
    """What a command came to.

    ``verdict`` is "accepted", "without events", "rejected", "replaced", "dropped" or "cancelled", which is a
    deadline that was taken off; ``reason`` and
    ``details`` are those of the rejection, or the reason for which the command was dropped.
    """

    verdict: str
    reason: str = ""
    details: Mapping[str, Any] = {}

    @property
    def rejected(self) -> Rejected | None:
        """The rejection, where the command was rejected."""
        return Rejected(self.reason, **self.details) if self.verdict == "rejected" else None


ACCEPTED, WITHOUT_EVENTS = Outcome("accepted"), Outcome("without events")
CANCELLED = Outcome("cancelled")


def rejection(rejected: Rejected) -> Outcome:
    """The outcome of a command that was rejected."""
    return Outcome("rejected", str(rejected.reason), rejected.details)


class Delivery(NamedTuple):
    """An event that an instance of a process manager was handed.

    ``stream_id`` is the instance's, ``version`` its version after the event.
    """

    stream_id: str
    position: int
    verb: str
    version: int


class Move(NamedTuple):
    """How a mark moves along with events that are appended; see `OutboxChanges`.

    The mark must be at ``since``, and the ``length`` events from ``begun`` to ``upto`` must stand one behind
    another. ``since`` is None where there must be no mark: then the process manager begins at ``begun``.
    Where nothing was ``handed`` to an instance, a mark that does not fit stays where it is. ``kept`` are
    rejections that instances took in meanwhile, and ``known`` is the number of the last one before.
    """

    name: str
    since: int | None
    begun: int
    upto: int
    length: int
    handed: bool
    deliveries: Sequence[Delivery]
    kept: Sequence[KeptRejection] = ()
    known: int | None = None

    def fits(self, head: int) -> bool:
        """Whether no other events stand between those that were handed on, where ``head`` is the last one."""
        return resolved(self.upto, head) - resolved(self.begun, head) == self.length


class KeptRejections(NamedTuple):
    """Rejections that changed running instances of a process manager, by position, then by number.

    ``number`` is that of the last rejection which any of its instances took in.
    """

    number: int
    kept: tuple[KeptRejection, ...] = ()


class OutboxChanges(NamedTuple):
    """What is written in one transaction with events that were decided elsewhere, as in an overlay.

    A position below 0 is that of an event of the same append: -1 is the first. ``settled`` are commands that
    the outbox has, or that are carried out once; ``sent`` are new ones, each with the position of its cause,
    and with what it came to, if it was settled. What was ``taken_off`` are deadlines that the outbox has.
    """

    moves: Sequence[Move]
    settled: Sequence[tuple[Pending, Outcome]]
    sent: Sequence[tuple[Pending, int | None, Outcome | None]]
    taken_off: Sequence[TakenOff] = ()


def resolved(position: int, head: int) -> int:
    """The position in a store whose last event before an append is at ``head``; see `OutboxChanges`."""
    return head - position if position < 0 else position


def lasting(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """The deliveries that a store keeps: those since each instance began, and where instances ended."""
    kept: dict[str, list[Delivery]] = {}
    for each in deliveries:
        of_instance = kept.setdefault(each.stream_id, [])
        if each.verb != Verb.CONTINUED:
            of_instance[:] = [earlier for earlier in of_instance if earlier.verb == Verb.STOPPED]
        of_instance.append(each)
    return sorted([each for of_instance in kept.values() for each in of_instance], key=lambda d: d.position)


def depth_first(commands: Sequence[Pending]) -> tuple[Pending, ...]:
    """The commands of an outbox in the order in which they are carried out: the oldest cascade first.

    Deadlines come after all others, in the order in which they were set.
    """
    first: dict[str, int] = {}
    for n, pending in enumerate(commands):
        first.setdefault(pending.correlation_id, n)
    now = [each for each in commands if each.due_at is None]
    later = [each for each in commands if each.due_at is not None]
    return (*sorted(now, key=lambda each: (first[each.correlation_id], -each.depth)), *later)


class DurableEventStore:
    """What a store has that outlives the stack, besides `EventStore`. All names are stored names.

    A store of your own may have these methods, or inherit them: then it says in methods of the same names
    with an underscore what is to be done, once the arguments are checked. ``find`` gives the class of a
    command whose name the store does not know.
    """

    __slots__ = ()

    _hand_on: Callable[..., Any]
    _settle: Callable[..., Any]
    _rejections: Callable[..., KeptRejections]
    _as_kept: Callable[[Rejected], Rejected]
    _outcome_of: Callable[[str], Outcome | None]
    _outstanding: Callable[..., tuple[Pending, ...]]
    _deadlines_due: Callable[..., tuple[Pending, ...]]
    _next_due: Callable[..., datetime | None]
    _deliveries: Callable[[str, int], Sequence[Delivery]]
    _events_at: Callable[[Sequence[int]], Iterator[RecordedEvent]]
    _depths: Callable[[Sequence[str]], Mapping[str, int]]

    def marks(self) -> tuple[dict[str, int], int]:
        """Up to which position each process manager was handed events, and the position of the last event."""
        raise NotImplementedError

    def hand_on(
        self,
        name: str,
        since: int | None,
        upto: int,
        deliveries: Sequence[Delivery],
        sent: Sequence[Pending],
        *,
        taken_off: Sequence[TakenOff] = (),
        rejections: int | None = None,
    ) -> Self | None:
        """Move a mark, note what instances were handed, and put the commands that they sent in the outbox.

        Deadlines are among them; they have a time at which they are due, and a name. Before, all others that
        are not settled and that were ``taken_off`` are settled as cancelled, in the same transaction.

        ``since`` is where the mark must be, None where there must be none yet. Where rejections change the
        instances, ``rejections`` is the number of the last one that they took in. Nothing is written, and the
        answer is None, when the mark is elsewhere, or when there is a further rejection.
        """
        name = a_text("hand_on(name)", name, _NAME)
        since = None if since is None else a_whole_number("hand_on(since)", since)
        upto = a_whole_number("hand_on(upto)", upto)
        deliveries = a_list("hand_on(deliveries)", deliveries, "[Delivery(...)]", of=Delivery)
        sent = a_list("hand_on(sent)", sent, "run.agenda.pending", of=Pending)
        off = a_list("hand_on(taken_off)", taken_off, _TAKEN_OFF, of=TakenOff)
        if rejections is not None:
            rejections = a_whole_number("hand_on(rejections)", rejections)
        moved: Self | None = self._hand_on(name, since, upto, deliveries, sent, off, rejections)
        return moved

    def settle(
        self,
        pending: Pending,
        outcome: Outcome,
        sent: Sequence[Pending] = (),
        *,
        taken_off: Sequence[TakenOff] = (),
        kept: KeptRejection | None = None,
    ) -> Self | None:
        """Note what a command came to, and put the commands that answer it in the outbox, as `hand_on` does.

        A rejection that changed the sender is ``kept``. The mark of the process manager must be at its
        position, and it must have the next number; else nothing is written, and the answer is None.

        Raises `AlreadySettled`, and writes nothing, when the command was settled before.
        """
        an_instance("settle(pending)", pending, Pending, "run.agenda.pending[0]")
        an_instance("settle(outcome)", outcome, Outcome, "Outcome('accepted')")
        sent = a_list("settle(sent)", sent, "[]", of=Pending)
        off = a_list("settle(taken_off)", taken_off, _TAKEN_OFF, of=TakenOff)
        if kept is not None:
            an_instance("settle(kept)", kept, KeptRejection, "store.rejections(find, 'Transfer').kept[0]")
        done: Self | None = self._settle(pending, outcome, sent, off, kept)
        return done

    def rejections(self, find: Callable[[str], type | None], name: str, after: int = 0) -> KeptRejections:
        """The rejections with a larger number that changed running instances of a process manager."""
        a_function("rejections(find)", find, _FIND)
        name = a_text("rejections(name)", name, _NAME)
        return self._rejections(find, name, a_whole_number("rejections(after)", after))

    def as_kept(self, rejected: Rejected) -> Rejected:
        """A rejection as it will be read again: what JSON cannot keep of its details is a text."""
        return self._as_kept(an_instance("as_kept(rejected)", rejected, Rejected, "Rejected('sold out')"))

    def outcome_of(self, command_id: str) -> Outcome | None:
        """What a command came to; None where it is not known, or not settled."""
        return self._outcome_of(a_text("outcome_of(command_id)", command_id, "pending.command_id"))

    def outstanding(self, find: Callable[[str], type | None], senders: Sequence[str]) -> tuple[Pending, ...]:
        """The commands of these process managers that are not settled, depth first, the oldest cascade first.

        Deadlines are among them, after all others, in the order in which they were set.
        """
        a_function("outstanding(find)", find, _FIND)
        return self._outstanding(find, a_list("outstanding(senders)", senders, _SENDERS, of=str))

    def deadlines_due(
        self, find: Callable[[str], type | None], senders: Sequence[str], now: datetime
    ) -> tuple[Pending, ...]:
        """The deadlines of these process managers that are due at a time and not settled.

        They come in the order in which they are due; those due at once in the order in which they were set.
        """
        a_function("deadlines_due(find)", find, _FIND)
        senders = a_list("deadlines_due(senders)", senders, _SENDERS, of=str)
        return self._deadlines_due(find, senders, a_time("deadlines_due(now)", now))

    def next_due(self, senders: Sequence[str], after: datetime) -> datetime | None:
        """When the first deadline of these process managers is due after a time; None where there is none."""
        senders = a_list("next_due(senders)", senders, _SENDERS, of=str)
        return self._next_due(senders, a_time("next_due(after)", after))

    def deliveries(self, name: str, after: int = 0) -> Sequence[Delivery]:
        """The deliveries to the running instances of a process manager, and where instances ended, in order.

        ``after`` is a position; with 0, instances that ended are left out.
        """
        name = a_text("deliveries(name)", name, _NAME)
        return self._deliveries(name, a_whole_number("deliveries(after)", after))

    def events_at(self, positions: Iterable[int]) -> Iterator[RecordedEvent]:
        """The events at these positions, in order."""
        return self._events_at(a_list("events_at(positions)", positions, "[1, 2]", of=int))

    def depths(self, command_ids: Sequence[str]) -> Mapping[str, int]:
        """How many commands stand above each of these commands of the outbox."""
        return self._depths(a_list("depths(command_ids)", command_ids, "[pending.command_id]", of=str))


_NAME, _SENDERS, _FIND = "'Transfer'", "['Transfer']", "lambda name: None"
_TAKEN_OFF = "[TakenOff('Transfer-t1', None)]"


def is_durable(store: Any) -> bool:
    """Whether an event store keeps marks and an outbox."""
    cls: Any = type(store)
    return _is_durable(cls)


@lru_cache(maxsize=64)
def _is_durable(cls: type) -> bool:
    return callable(getattr(cls, "hand_on", None)) and callable(getattr(cls, "settle", None))


def sets_aside(store: Any) -> bool:
    """Whether what raises over an event store is set aside, since it can be tried again later."""
    return is_durable(store) and outlives_the_stack(store)


def outlives_the_stack(store: Any) -> bool:
    """Whether what is written to a store that keeps marks is there for everybody; an overlay is a value."""
    return bool(getattr(store, "outlives_the_stack", True))


def settles(stack: Stack, pending: Pending) -> bool:
    """Whether the event store notes what the command comes to."""
    return (pending.sender is not None or pending.once) and is_durable(stack.event_store)


def outcome_of(stack: Stack, command_id: str) -> Outcome | None:
    """What a command came to that is carried out once; None where it was not settled yet."""
    if is_durable(stack.event_store):
        return cast("Outcome | None", stack.event_store.outcome_of(command_id))
    return cast("Outcome | None", stack.outcomes.get(command_id))


def noted(stack: Stack, pending: Pending, outcome: Outcome) -> Stack:
    """The stack that knows what a command came to, where its event store does not keep that."""
    if is_durable(stack.event_store):
        return stack
    return changed(stack, outcomes=stack.outcomes.insert(pending.command_id, outcome))


def settled(
    stack: Stack,
    pending: Pending,
    outcome: Outcome,
    sent: Sequence[Pending] = (),
    changes: Changes = NO_CHANGES,
) -> Stack:
    """The stack after it was noted what a command without events came to, and what answers it.

    Raises `AlreadySettled` where the command was settled before.
    """
    if settles(stack, pending):
        store, all_sent = stack.event_store, (*sent, *changes.set)
        off = _off(store, all_sent, changes.taken_off)
        after = store_after(store, "settle", store.settle(pending, outcome, all_sent, **off))
        return changed(stack, event_store=after)
    return noted(stack, pending, outcome) if pending.once else stack


def settled_and_kept(
    stack: Stack, pending: Pending, sent: Sequence[Pending], changes: Changes, kept: KeptRejection
) -> Stack | None:
    """The stack after it was noted that a command was rejected, and that this changed the sender.

    The answer is None where the sender may have changed meanwhile: then it is to be caught up.
    """
    outcome, name = rejection(kept.rejected), kept.stream_id.partition("-")[0]
    if not settles(stack, pending):
        of_instance = (*stack.rejections.get(kept.stream_id, ()), kept)
        return changed(
            settled(stack, pending, outcome, sent, changes),
            rejections=stack.rejections.insert(kept.stream_id, of_instance),
        )
    off = _off(stack.event_store, (*sent, *changes.set), changes.taken_off)
    store = stack.event_store.settle(pending, outcome, (*sent, *changes.set), **off, kept=kept)
    known = known_rejections(stack, name)._replace(number=kept.number)
    return (
        None
        if store is None
        else changed(stack, event_store=store, known_rejections=stack.known_rejections.insert(name, known))
    )


def handled(managers: Any, recorded: RecordedEvent, manager: type) -> tuple[Any, Any]:
    """The reactions of a process manager type to an event, and the store of process managers after it."""
    reactions, after = managers.handle_event(recorded, (manager,))
    return reactions, store_after(managers, "handle_event", after)


def known_rejections(stack: Stack, name: str) -> KeptRejections:
    """Which rejections of a process manager a stack knows: those up to a number.

    Those in ``kept`` come after events that its instances were not handed yet.
    """
    known: KeptRejections = stack.known_rejections.get(name, KeptRejections(0))
    return known


def last_rejection(stack: Stack, manager: type) -> int | None:
    """The number of the last rejection that instances took in; None where rejections change none."""
    return known_rejections(stack, stored_name(manager)).number if ask.takes_rejections(manager) else None


def kept_rejection(stack: Stack, pending: Pending, sender: Identity, rejected: Rejected) -> KeptRejection:
    """What is kept of a rejection that changes the sender, where it is taken in now."""
    types, stream_id = stack.process_manager_types, sender.stream_id
    position = stack.delivered_upto[types.index(sender.type)] if sender.type in types else 0
    number = len(stack.rejections.get(stream_id, ()))
    if settles(stack, pending):
        number, rejected = (
            known_rejections(stack, sender.category).number,
            stack.event_store.as_kept(rejected),
        )
    return KeptRejection(stream_id, position, number + 1, pending.command_id, rejected, pending.cause)


def check_another(stack: Stack, kept: KeptRejection) -> None:
    """Raise where a store did not keep a rejection, and would be asked for the same once more."""
    name = kept.stream_id.partition("-")[0]
    index = [stored_name(cls) for cls in stack.process_manager_types].index(name)
    mark, number = stack.delivered_upto[index], known_rejections(stack, name).number
    if (mark, number) == (kept.position, kept.number - 1):
        raise StoreError(
            f"{type(stack.event_store).__name__}.settle(..., kept=...) returned None for rejection number "
            f"{kept.number} of {name} at position {mark}, so another process should have been first; but "
            f"marks() and rejections() say that the mark is at {mark} and the last rejection is number "
            f"{number}. Let settle() keep the rejection then: see DurableEventStore in "
            "calamity_lab.kernel.outbox"
        )


def hand_on(
    store: Any,
    move: tuple[str, int | None, int],
    deliveries: Sequence[Delivery],
    sent: Sequence[Pending],
    taken_off: Sequence[TakenOff],
    rejections: int | None,
) -> Any:
    """Move a mark; see `DurableEventStore.hand_on`."""
    more = {} if rejections is None else {"rejections": rejections}
    return store.hand_on(*move, deliveries, sent, **_off(store, sent, taken_off), **more)


def _off(store: Any, sent: Sequence[Pending], taken_off: Sequence[TakenOff]) -> dict[str, Any]:
    """What a store is given of the deadlines. Raises `InvalidValue` where it keeps none, and one is set."""
    cls: Any = type(store)
    if _keeps_deadlines(cls):
        return {"taken_off": taken_off} if taken_off else {}
    later = next((each for each in sent if each.due_at is not None), None)
    if later is not None:
        raise InvalidValue(
            f"{later.sender} set the deadline {later.deadline!r}, and {type(store).__name__} keeps no "
            "deadlines: its hand_on and settle take no argument taken_off. See DurableEventStore in "
            "calamity_lab.kernel.outbox"
        )
    return {}


@lru_cache(maxsize=64)
def _keeps_deadlines(cls: Any) -> bool:
    return "taken_off" in signature(cls.hand_on).parameters


def with_senders(stack: Stack, commands: Iterable[Pending]) -> list[Pending]:
    """The commands of an outbox with their senders' classes and ids, which a store knows as texts."""
    known = {stored_name(cls): cls for cls in stack.process_manager_types}
    return [
        each
        if each.sender is None
        else structs.replace(each, sender=identity_in(known[each.sender.category], each.sender.stream_id))
        for each in commands
    ]


def with_deadlines_due(stack: Stack, now: datetime, *, without: Container[str]) -> Stack:
    """The stack whose deadlines that are due at a time are those of its event store, also of other processes.

    ``without`` are command ids to leave out. A stack over a value knows its deadlines itself.
    """
    store = stack.event_store
    if not sets_aside(store):
        return stack
    types = stack.process_manager_types
    known = {each.command_id: each for each in stack.deadlines.due(now)}
    of_store = store.deadlines_due(classes_near(types), [stored_name(cls) for cls in types], now)
    found = [each for each in with_senders(stack, of_store) if each.command_id not in without]
    if [each.command_id for each in found] == [*known]:
        return stack
    deadlines = stack.deadlines
    for each in (*known.values(), *found):
        assert each.sender is not None, "a deadline belongs to an instance"
        _, _, deadlines = deadlines.without(each.sender.stream_id, each.deadline)
    for each in found:
        deadlines = deadlines.set(known.get(each.command_id, each))
    return changed(stack, deadlines=deadlines)


def warn_of_events_only(store: Any) -> None:
    """Warn that a store keeps only events, so that a crash may cost commands."""
    if not isinstance(store, InMemoryEventStore) and not is_durable(store):
        warnings.warn(
            f"{type(store).__name__} keeps events only. Commands that process managers sent, and that were "
            "not carried out before a crash, are lost. To keep them, give the store the methods of "
            "calamity_lab.kernel.outbox.DurableEventStore, or use SQLEventStore",
            stacklevel=3,
        )


def uninterested(stack: Stack, decided: Sequence[RecordedEvent]) -> dict[str, int]:
    """How many of the first of these events are of no interest to each process manager, where there are any.

    The append moves the marks over these, so that nothing needs to be written for them later. The events are
    not recorded yet: their positions are 0.
    """
    counts = {}
    for manager in stack.process_manager_types:
        count = 0
        for recorded in decided:
            if interests(manager, recorded):
                break
            count += 1
        if count:
            counts[stored_name(manager)] = count
    return counts


def interests(manager: type, recorded: RecordedEvent) -> bool:
    """Whether the event is, or may be, of interest: a callback that raises is asked again later."""
    try:
        return bool(ask.interested(manager, recorded.event, recorded))
    except ModelError:
        return True


def prepared(stack: Stack) -> Stack:
    """The stack, after its process managers got their marks in its event store.

    A type that is new to the store begins at now, or where ``process_managers_begin`` says: from then on it
    is asked for commands. Its instances have the state that the events before give.
    """
    store = stack.event_store
    if stack.prepared is store or not is_durable(store):
        return stack
    marks, head = store.marks()
    for manager in stack.process_manager_types:
        name = stored_name(manager)
        mark = marks.get(name)
        if mark is None:
            with suppress(ModelError):  # it is raised when the process manager is handed its first event
                stack = _begin(stack, manager, head, head)
        elif mark > head:
            raise WrongMark(name, mark, head)
    return changed(stack, prepared=stack.event_store)


def _begin(stack: Stack, manager: type, head: int, now: int) -> Stack:
    """The stack after a process manager got its first mark, where ``process_managers_begin`` says.

    ``head`` is the position of the last event, and ``now`` that of the last one before the event to hand on.
    """
    name = stored_name(manager)
    given = stack.process_managers_begin.get(name, "now")
    position = now if given == "now" else given
    if not isinstance(position, int):
        raise InvalidValue(
            f"process_managers_begin has {given!r} for {name}, which is a process manager of this stack: "
            'give "now" or a position, as in {"Greeter": "now"}'
        )
    if position > head:
        raise WrongMark(name, position, head)
    begun = _begun_at(stack, manager, position)
    if begun is not stack and head and outlives_the_stack(stack.event_store):
        _log.warning(
            "%s is new to %r: it is handed the events after position %d; those before only give its "
            "instances their state",
            name,
            stack.event_store,
            position,
        )
    return begun


def _begun_at(stack: Stack, manager: type, position: int) -> Stack:
    """The stack after a process manager got its first mark, and what its instances were handed was noted.

    It is the same stack where another process was first.
    """
    noted = _Noted({})
    for recorded in _upto(stack.event_store, 1, position):
        noted.take(manager, recorded)
    store = stack.event_store.hand_on(stored_name(manager), None, position, noted.deliveries, ())
    return stack if store is None else changed(stack, event_store=store)


class _Noted:
    """The deliveries to instances while a history is read; only those of running instances are kept."""

    def __init__(self, versions: Mapping[str, int], running: Iterable[str] = ()) -> None:
        self._versions = versions
        self._kept: dict[str, list[Delivery]] = {}
        self._running = set(running)

    @property
    def deliveries(self) -> list[Delivery]:
        """What is kept, in the order of the events."""
        return sorted([each for kept in self._kept.values() for each in kept], key=lambda each: each.position)

    def take(self, manager: type, recorded: RecordedEvent) -> None:
        """Note what an event does to the instances that it concerns, which are not asked."""
        for interest in ask.interested(manager, recorded.event, recorded):
            stream_id = identify(manager, interest.id).stream_id
            self.add(stream_id, recorded.position, verb_of(interest, is_running=stream_id in self._running))

    def add(self, stream_id: str, position: int, verb: Verb) -> None:
        """Note what an event did to an instance."""
        if not verb.changes:
            return
        kept = self._kept.setdefault(stream_id, [])
        version = (kept[-1].version if kept else self._versions.get(stream_id, 0)) + 1
        if verb is Verb.CONTINUED:
            kept.append(Delivery(stream_id, position, verb.value, version))
            return
        kept[:] = [Delivery(stream_id, position, verb.value, version)]
        (self._running.add if verb is Verb.STARTED else self._running.discard)(stream_id)


class CaughtUpTo(NamedTuple):
    """How far a process manager was caught up.

    ``taken`` counts the events that its instances took in, and ``rejections`` the rejections. ``sent`` is
    what they sent, ``changes`` what they changed of their deadlines, and ``failure`` is there where a
    callback raised.
    """

    stack: Stack
    taken: int
    sent: tuple[Pending, ...]
    changes: Changes = NO_CHANGES
    failure: Failure | None = None
    rejections: int = 0


def catch_up(stack: Stack, index: int, upto: int) -> CaughtUpTo:
    """Bring a process manager type up to a position, with what the event store knows of it.

    Instances take in what they were handed before, by this process or another, and are not asked again.
    Events behind the mark that nobody handed on are handed on now.
    """
    manager = stack.process_manager_types[index]
    name, count, changes, rejections = stored_name(manager), 0, NO_CHANGES, 0
    sent: tuple[Pending, ...] = ()
    while True:
        marks, head = stack.event_store.marks()
        mark = marks.get(name)
        if mark is None:
            stack = _begin(stack, manager, head, min(upto, head))
            continue
        if mark > head:
            raise WrongMark(name, mark, head)
        if mark < stack.delivered_upto[index]:  # it was moved back by hand
            stack = _without_instances(stack, index)
        stack, *taken = _taken_in(stack, index, mark)
        count, rejections = count + taken[0], rejections + taken[1]
        if mark >= upto:
            return CaughtUpTo(stack, count, sent, changes, None, rejections)
        handed = _handed_on(stack, index, mark, upto)
        if handed is not None:
            stack, count, sent = handed.stack, count + handed.taken, sent + handed.sent
            if handed.changes is not NO_CHANGES:
                changes = changes.then(handed.changes)
            if handed.failure is not None or stack.delivered_upto[index] >= upto:
                return CaughtUpTo(stack, count, sent, changes, handed.failure, rejections)


def _without_instances(stack: Stack, index: int) -> Stack:
    """The stack without the instances of a type: they take in again what they were handed."""
    managers, versions = stack.process_managers, stack.process_manager_versions
    if not isinstance(managers, InMemoryProcessManagerStore):
        return stack
    prefix = f"{stored_name(stack.process_manager_types[index])}-"
    for stream_id, version in dict(versions).items():
        if stream_id.startswith(prefix):
            managers = managers.discard(stream_id)
            versions = versions.increment_version(Identity.parse(stream_id), -version)
    return changed(
        stack,
        process_managers=managers,
        process_manager_versions=versions,
        delivered_upto=moved(stack.delivered_upto, index, 0),
        known_rejections=stack.known_rejections.discard(stored_name(stack.process_manager_types[index])),
    )


def taken_in(stack: Stack, index: int) -> Stack:
    """The stack whose instances of a process manager have the state that its mark says; nothing is handed on.

    A process manager that is new to the event store gets its mark at the end of the history.
    """
    manager = stack.process_manager_types[index]
    marks, head = stack.event_store.marks()
    mark = marks.get(stored_name(manager))
    if mark is None:
        stack, mark = _begun_at(stack, manager, head), head
    return _taken_in(stack, index, min(mark, head))[0]


def _taken_in(stack: Stack, index: int, mark: int) -> tuple[Stack, int, int]:
    """The stack whose instances have taken in what they were handed up to the mark.

    With it comes how many events and how many rejections that was.
    """
    manager, since = stack.process_manager_types[index], stack.delivered_upto[index]
    rejections = _read_rejections(stack, manager)
    if since >= mark and rejections == known_rejections(stack, stored_name(manager)):
        return stack, 0, 0
    deliveries = stack.event_store.deliveries(stored_name(manager), since) if since < mark else ()
    managers, versions = stack.process_managers, stack.process_manager_versions
    given = set() if since else {d.stream_id for d in deliveries if managers.get(d.stream_id) is not None}
    wanted = [d for d in deliveries if d.position <= mark and d.stream_id not in given]
    events = {r.position: r for r in stack.event_store.events_at([d.position for d in wanted])}
    begun = {d.stream_id: d.position for d in wanted if d.verb != Verb.CONTINUED}
    kept = [
        each
        for each in rejections.kept
        if begun.get(each.stream_id, 0) <= each.position <= mark and each.stream_id not in given
    ]
    count = 0
    for each in sorted([*wanted, *kept], key=_in_order):
        identity = identity_in(manager, each.stream_id)
        if isinstance(each, KeptRejection):
            managers = managers.take_rejection(identity, each)
            continue
        recorded = events.get(each.position)
        if recorded is None:  # it was deleted
            continue
        managers = managers.take_in(identity, recorded, Verb(each.verb))
        versions = versions.increment_version(identity, each.version - versions.get(each.stream_id, 0))
        count += 1
    taken_in = changed(
        stack,
        process_managers=managers,
        process_manager_versions=versions,
        delivered_upto=moved(stack.delivered_upto, index, max(since, mark)),
        known_rejections=_with_known(stack, manager, rejections, mark),
    )
    return taken_in, count, len(kept)


def _in_order(taken_in: Delivery | KeptRejection) -> tuple[int, int]:
    """The place of what instances took in: a rejection comes after the events up to its position."""
    number = taken_in.number if isinstance(taken_in, KeptRejection) else 0
    return taken_in.position, number


def _read_rejections(stack: Stack, manager: type) -> KeptRejections:
    """The rejections that the instances of a process manager have not taken in yet, in order."""
    if not ask.takes_rejections(manager):
        return KeptRejections(0)
    name = stored_name(manager)
    known = known_rejections(stack, name)
    found = stack.event_store.rejections(classes_near(stack.process_manager_types), name, known.number)
    return KeptRejections(
        max([found.number, *[each.number for each in found.kept]]),
        tuple(sorted([*known.kept, *found.kept], key=_in_order)),
    )


def _with_known(stack: Stack, manager: type, rejections: KeptRejections, upto: int) -> Any:
    """What a stack knows of rejections after its instances took in those up to a position."""
    if not ask.takes_rejections(manager):
        return stack.known_rejections
    left = tuple([each for each in rejections.kept if each.position > upto])
    return stack.known_rejections.insert(stored_name(manager), rejections._replace(kept=left))


def with_instances(stack: Stack) -> tuple[Stack, list[int]]:
    """The stack whose instances have taken in what they were handed; and the types that have no mark yet.

    Nothing is handed on, and nothing is written.
    """
    marks, without = stack.event_store.marks()[0], []
    for index, manager in enumerate(stack.process_manager_types):
        mark = marks.get(stored_name(manager))
        if mark is None:
            without.append(index)
        else:
            stack, *_ = _taken_in(stack, index, mark)
    return stack, without


def _handed_on(stack: Stack, index: int, mark: int, upto: int) -> CaughtUpTo | None:
    """Hand on the events from the mark to a position; None where another process was first."""
    manager, store = stack.process_manager_types[index], stack.event_store
    managers, versions = stack.process_managers, stack.process_manager_versions
    rejections = known_rejections(stack, stored_name(manager))
    handing = _HandingOn(manager, managers, versions, rejections.kept)
    failure = None
    events = [r for r in _upto(store, mark + 1, upto) if interests(manager, r)]
    depths = store.depths([r.causation_id for r in events if r.causation_id is not None]) if events else {}
    for recorded in events:
        try:
            handing.take_rejections(recorded.position - 1)
            handing.hand(recorded, depths.get(recorded.causation_id or "", 0))
        except ModelError as error:
            failure = Failure(None, error, stored_name(manager), recorded.position)
            break
    reached, changes = upto if failure is None else failure.position - 1, handing.changes
    try:
        handing.take_rejections(reached)
        if reached > mark:
            store = hand_on(
                store,
                (stored_name(manager), mark, reached),
                handing.noted.deliveries,
                [*handing.sent, *changes.set],
                changes.taken_off,
                last_rejection(stack, manager),
            )
    except SerializationError as error:  # one of the answers cannot be kept: the events one by one
        if len(events) > 1:
            return _handed_on(stack, index, mark, events[0].position)
        failure = Failure(None, error, stored_name(manager), events[0].position)
        return CaughtUpTo(stack, 0, (), NO_CHANGES, failure)
    if store is None:
        return None
    handed = changed(
        stack,
        event_store=store,
        process_managers=handing.managers,
        process_manager_versions=handing.versions,
        delivered_upto=moved(stack.delivered_upto, index, reached),
        known_rejections=_with_known(stack, manager, rejections, reached),
    )
    return CaughtUpTo(handed, handing.count, tuple(handing.sent), changes, failure)


class _HandingOn:
    """What a process manager makes of events that nobody handed on, one after the other."""

    def __init__(
        self, manager: type, managers: Any, versions: Any, rejections: Sequence[KeptRejection]
    ) -> None:
        self._rejections = list(rejections)  # that came after the events, before a mark was moved back
        self._manager, self.managers, self.versions = manager, managers, versions
        self.noted, self.count = _Noted(versions), 0
        self.sent: list[Pending] = []
        self._set: dict[str, dict[str | None, Pending]] = {}
        self._taken_off: dict[TakenOff, None] = {}

    @property
    def changes(self) -> Changes:
        """What all of it changes of the deadlines."""
        if not self._taken_off:
            return NO_CHANGES
        left = [each for by_name in self._set.values() for each in by_name.values()]
        return Changes(tuple(left), tuple(self._taken_off))

    def take_rejections(self, upto: int) -> None:
        """Let instances take in the rejections up to a position."""
        while self._rejections and self._rejections[0].position <= upto:
            kept = self._rejections.pop(0)
            identity = identity_in(self._manager, kept.stream_id)
            self.managers = self.managers.take_rejection(identity, kept)

    def hand(self, recorded: RecordedEvent, depth: int) -> None:
        """Hand an event on."""
        reactions, self.managers = handled(self.managers, recorded, self._manager)
        for reaction in reactions:
            identity, verb = identify(reaction.manager, reaction.id), Verb(reaction.verb)
            self.noted.add(identity.stream_id, recorded.position, verb)
            if verb.changes:
                self.versions, self.count = self.versions.increment_version(identity, 1), self.count + 1
            if verb is Verb.STOPPED:
                self._change(all_taken_off(identity))
            if reaction.commands:
                sent, changes = _answers(recorded, identity, reaction.commands, depth)
                self.sent += sent
                self._change(changes)

    def _change(self, changes: Changes) -> None:
        for off in changes.taken_off:
            self._taken_off[off] = None
            if off.name is None:
                self._set.pop(off.stream_id, None)
            else:
                self._set.get(off.stream_id, {}).pop(off.name, None)
        for each in changes.set:
            assert each.sender is not None, "a deadline belongs to an instance"
            self._set.setdefault(each.sender.stream_id, {})[each.deadline] = each


def _answers(recorded: RecordedEvent, sender: Identity, commands: tuple[Any, ...], depth: int) -> Answers:
    """What an instance answers to an event of a command that is not in progress here."""
    origin, cause = recorded.event_id, cause_of(recorded, depth)
    sent, changes = answers(cause, origin, recorded, sender, commands, recorded.recorded_at)
    made = tuple([structs.replace(each, parent=None) for each in changes.set])
    return tuple([structs.replace(each, parent=None) for each in sent]), changes._replace(set=made)


def cause_of(recorded: RecordedEvent, depth: int = 0) -> Pending:
    """The command of an event as far as the event shows it; the command itself is not recorded."""
    command_id = recorded.causation_id or recorded.event_id
    known = of_recorded(recorded.metadata)
    return Pending(None, command_id, recorded.correlation_id, depth, metadata=known)


def _upto(store: Any, start: int, position: int) -> Iterator[RecordedEvent]:
    """All events from one position to another."""
    if start > position:
        return iter(())
    return takewhile(lambda r: r.position <= position, store.stream(ALL, start_version=start))


def check_names(stack: Stack) -> None:
    """Raise `UnknownName` where no class of the stack has the name of a process manager of its store."""
    marks, _ = stack.event_store.marks()
    here = {stored_name(manager) for manager in stack.process_manager_types}
    elsewhere = {name for name, where in stack.process_managers_begin.items() if where == "elsewhere"}
    for name in sorted(set(marks) - here - elsewhere):
        raise UnknownName(
            f"{stack.event_store!r} has handed events to a process manager {name!r}, but no class of this "
            f"stack has that name; the stack has {', '.join(sorted(here)) or 'no process managers'}. If the "
            f'class was renamed, keep its name: stored_name = "{name}" in the class. If another process '
            f'runs it: Stack(process_managers_begin={{"{name}": "elsewhere"}}). If it is gone for good: '
            f'event_store.retire("{name}", reason="...")'
        )


def classes_near(types: Iterable[type]) -> Callable[[str], type | None]:
    """A function that gives the command class with a stored name, found in the modules of these classes."""
    modules = {cls.__module__ for cls in types}

    def find(name: str) -> type | None:
        found = {
            value
            for module in modules
            for value in list(vars(sys.modules.get(module, object)).values())
            if isinstance(value, type) and callable(getattr(value, "aggregate", None))
            if stored_name(value) == name
        }
        if len(found) > 1:
            raise UnknownName(
                f"two command classes have the stored name {name!r}: "
                f"{', '.join(sorted(f'{cls.__module__}.{cls.__qualname__}' for cls in found))}. Give the "
                "event store the one that is meant"
            )
        return found.pop() if found else None

    return find
