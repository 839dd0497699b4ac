"""What a model's classes may do to each other, found by asking them about made-up messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Any, TypeVar

from calamity_lab.errors import Rejected
from calamity_lab.kernel import ask
from calamity_lab.kernel.folding import fold
from calamity_lab.kernel.identity import by_name, stored_name
from calamity_lab.kernel.memo import Slot
from calamity_lab.kernel.messages import After, At, Cancel, Interest
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.second_arguments import Context, as_decided
from calamity_lab.model import Model, names_reached
from calamity_lab.probe.field_types import changed_samples, samples
from calamity_lab.probe.late import Late, Patience, TooSlow
from calamity_lab.text import format_value
from calamity_lab.trace.muted_output import muted_output

_LENGTH = 2_000


def explore(
    first: Iterable[tuple[int, Any]], following: Callable[[Any], Iterable[tuple[int, Any]]], most: int
) -> None:
    """Visit at most ``most`` states, nearest first: ``following`` gives those that follow, with distances.

    None stands for no state. States are the same when they look the same.
    """
    waiting: list[tuple[int, int, Any]] = []
    seen: set[str] = set()
    count = 0

    def put(distance: int, state: Any) -> None:
        nonlocal count
        if state is None or len(seen) >= 4 * most:
            return
        looks = format_value(state, _LENGTH)
        if looks not in seen:
            seen.add(looks)
            count += 1
            heappush(waiting, (distance, count, state))

    for distance, state in first:
        put(distance, state)
    for _ in range(most):
        if not waiting:
            return
        distance, _, state = heappop(waiting)
        for further, after in following(state):
            put(distance + further, after)


T = TypeVar("T")

MOST_STATES = 40
"""At most this many states of a class are visited, fewer if each is asked many questions."""

_FEWEST_STATES = 8
_MOST_QUESTIONS = 6_000


@dataclass(frozen=True, slots=True)
class Possible:
    """Pairs of names, in the model's order: the target of each command, its events, and who reacts how.

    ``answers`` are the commands that a manager sends when one of its commands is rejected, ``later`` those
    that it sets for later, as deadlines. ``delays`` are after which times these are due, in order: of those
    that do not depend on the message; () for those that have a time of their own. ``asked`` is whether the
    model was asked, and not only its source read.
    """

    targets: tuple[tuple[str, str], ...] = ()
    decides: tuple[tuple[str, str], ...] = ()
    leads: tuple[tuple[str, str], ...] = ()
    reactions: tuple[tuple[str, str, str], ...] = ()
    sends: tuple[tuple[str, str], ...] = ()
    answers: tuple[tuple[str, str], ...] = ()
    later: tuple[tuple[str, str], ...] = ()
    delays: Mapping[tuple[str, str], tuple[timedelta, ...]] = field(default_factory=dict, hash=False)
    asked: bool = True


_POSSIBLE = Slot[Possible](most=1)
_READ = Slot[Possible](most=1)
_LATE = Slot[Late[Possible]](most=1)
_AWAITED = Slot[tuple[str, ...]](most=4_096)


def possible(model: Model) -> Possible:
    """What the model's classes may do to each other, worked out once per model.

    A model that takes long to answer is waited for once; until it has answered, only its source is read. So
    it is where the model must not be asked.
    """
    memo = model.memo
    found = memo.recall(_POSSIBLE)
    if found is None and model.asked:
        late = memo.once(_LATE, lambda: Late(lambda: _possible(model, Patience())))
        found = memo.keep(_POSSIBLE, late.answer) if late.wait() else None
    return found or memo.once(_READ, lambda: replace(_possible(model, _nobody), asked=False))


def _nobody(question: ask.Question) -> Any:
    raise TooSlow


def _possible(model: Model, wrapper: Callable[[ask.Question], Any]) -> Possible:
    names = {cls.__name__: cls for cls in model}
    with muted_output(), ask.through(wrapper):
        commands = {cls: samples(cls, names) for cls in model.commands}
        events = {cls: samples(cls, names) for cls in model.events}
        decides, leads, targets = _of_aggregates(model, commands, events)
        *of_managers, delays = _of_managers(model, events)
    order = {name: index for index, name in enumerate(by_name(model))}

    def ordered(pairs: Iterable[tuple[str, ...]]) -> Any:
        known = (pair for pair in pairs if all(name in order or name in _VERBS.values() for name in pair))
        return tuple(sorted(set(known), key=lambda pair: [order.get(name, 0) for name in pair]))

    return replace(Possible(*map(ordered, (targets, decides, leads, *of_managers))), delays=delays)


def awaited(model: Model, manager: str, instance: Any) -> tuple[str, ...]:
    """The event types that may continue or stop the instance with that id."""
    key = manager, instance, possible(model).asked
    return model.memo.once(_AWAITED, lambda: _awaited(model, manager, instance), key=key)


def _awaited(model: Model, manager: str, instance: Any) -> tuple[str, ...]:
    cls, names, known_as = model.process_manager(manager), {c.__name__: c for c in model}, by_name(model)
    wakes = [(event, verb) for event, of, verb in possible(model).reactions if of == manager]
    # If no other event continues an instance, the one that starts it does.
    known = [event for event, verb in wakes if verb != _VERBS["Start"]] or [event for event, _ in wakes]
    if not possible(model).asked:
        return tuple(dict.fromkeys(known))
    with muted_output():
        found = [name for name in dict.fromkeys(known) if _is_for(cls, known_as[name], instance, names)]
    # An id that is made of several fields is in no single field: then every event may be for it.
    return tuple(found or dict.fromkeys(known))


_CONTEXT = Context(datetime(2026, 1, 1, tzinfo=UTC), "made up", "made up")


def _record_of(event: Any) -> RecordedEvent:
    """A made-up record of a made-up event."""
    return as_decided((event,), "made up", event, _CONTEXT)[0]


_VERBS = {"Start": "start", "Continue": "continue", "Stop": "stop", "Once": "answer"}


def _asked(ask: Callable[..., T], *given: Any) -> T | None:
    """The answer, or None if the model raises: a made-up message may be nonsense to it, which is no fault."""
    try:
        return ask(*given)
    except Exception:  # noqa: BLE001 - deliberately ignored, see above
        return None


def _is_for(manager: type, event: type, instance: Any, names: dict[str, type]) -> bool:
    for made in changed_samples(event, instance, names):
        interests = _asked(ask.interested, manager, made, _record_of(made)) or ()
        if any(interest.id == instance for interest in interests):
            return True
    return False


Pairs = set[tuple[str, ...]]


def _of_aggregates(
    model: Model, commands: dict[type, tuple[Any, ...]], events: dict[type, tuple[Any, ...]]
) -> tuple[Pairs, Pairs, Pairs]:
    decides, leads, targets = Pairs(), Pairs(), Pairs()
    for called, aggregate in by_name(model.aggregates).items():
        orders, ids = [], {}
        for cls, made in commands.items():
            for index, command in enumerate(made):
                target = _asked(ask.target, command)
                if target is not None and target.category == called:
                    orders.append((index, command))
                    ids[target.stream_id] = target.id
                    targets.add((stored_name(cls), called))
        found = _decided(aggregate, list(ids.values())[:3], orders, events)
        leads |= found
        decides |= {(called, event) for _, event in found}
        reached = names_reached(aggregate, "execute")
        written = {stored_name(cls) for cls in model.events if cls.__name__ in reached}
        decides |= {(called, event) for event in written}
        leads |= _left_over(written, found, [command for command, of in targets if of == called])
    return decides, leads, targets


def _left_over(written: set[str], found: Pairs, commands: list[str]) -> Pairs:
    """What commands that were always rejected may lead to: the events that no other command explains."""
    explained = {event for _, event in found}
    rejected = [command for command in commands if command not in {command for command, _ in found}]
    return {(command, event) for command in rejected for event in written - explained}


def _decided(
    aggregate: type,
    ids: list[Any],
    orders: list[tuple[int, Any]],
    events: dict[type, tuple[Any, ...]],
) -> Pairs:
    """The pairs of command and event that some reachable state of the aggregate decides."""
    leads = Pairs()

    def following(state: Any) -> Iterable[tuple[int, Any]]:
        for index, command in orders:
            for event in (decided := _asked(ask.execute, state, command, _CONTEXT) or ()):
                leads.add((stored_name(type(command)), stored_name(type(event))))
            if decided:
                yield 1 + 2 * min(index, 1), _asked(fold, state, map(_record_of, decided))

    first = [(0, _asked(ask.new, aggregate, id_)) for id_ in ids]
    # Made-up commands may not reach a state that real ones reach: events may lead there.
    made_up = [
        (3, _asked(ask.apply, state, made, _record_of(made)))
        for _, state in first[:1]
        for group in events.values()
        for made in group[:2]
    ]
    explore([*first, *made_up], following, _states_to_ask(len(orders)))
    return leads


_Times = dict[str, set[timedelta | None]]
"""After which times a deadline is due that was set at a kind of message; None for a time of its own."""


def _of_managers(
    model: Model, events: dict[type, tuple[Any, ...]]
) -> tuple[Pairs, Pairs, Pairs, Pairs, dict[tuple[str, str], tuple[timedelta, ...]]]:
    reactions, sends, answers, later = Pairs(), Pairs(), Pairs(), Pairs()
    delays: dict[tuple[str, str], tuple[timedelta, ...]] = {}
    for called, manager in by_name(model.process_managers).items():
        wakes: list[tuple[int, Any, Interest]] = []
        for cls, made in events.items():
            for index, event in enumerate(made):
                for interest in _asked(ask.interested, manager, event, _record_of(event)) or ():
                    wakes.append((index, event, interest))
                    reactions.add((stored_name(cls), called, _VERBS[type(interest).__name__]))
        *found, times = _sent(manager, wakes)
        for pairs, commands in zip((sends, answers, later), (*found, times), strict=True):
            pairs |= {(called, command) for command in commands}
        known = {(called, command): _fixed(by_message) for command, by_message in times.items()}
        delays |= {pair: fixed for pair, fixed in known.items() if fixed is not None}
    return reactions, sends, answers, later, delays


def _fixed(times: _Times) -> tuple[timedelta, ...] | None:
    """After which times a deadline is due, however the message looks; () where each has a time of its own.

    None where they depend on what was made up.
    """
    every = set[timedelta | None]().union(*times.values())
    if every == {None}:
        return ()
    delays = {each for each in every if each is not None}
    return (
        tuple(sorted(delays)) if delays == every and all(len(each) == 1 for each in times.values()) else None
    )


def _sent(
    manager: type, wakes: list[tuple[int, Any, Interest]]
) -> tuple[set[str], set[str], dict[str, _Times]]:
    """What some reachable state of the manager sends for an event, for a rejection, and later."""
    sent: set[str] = set()
    answered: set[str] = set()
    later: dict[str, _Times] = {}

    def answer(given: Any, to: Any, now: set[str]) -> Any:
        """Note what is answered to a message, and give the command, if there is one."""
        if isinstance(given, Cancel):
            return None
        if not isinstance(given, After | At):
            now.add(stored_name(type(given)))
            return given
        times = later.setdefault(stored_name(type(given.command)), {})
        delay = given.delay if isinstance(given, After) else None
        times.setdefault(stored_name(type(to)), set()).add(delay)
        return given.command

    def following(state: Any) -> Iterable[tuple[int, Any]]:
        for index, event, interest in wakes:
            if type(interest).__name__ == "Stop":
                continue
            after = _asked(ask.apply, state, event, _record_of(event))
            for given in _asked(ask.handle, after, event, _record_of(event)) or ():
                command = answer(given, event, sent)
                for other in _answers(after, command) if command is not None else ():
                    answer(other, command, answered)
            yield 1 + 2 * min(index, 1), after

    starts = {repr(wake.id): wake.id for _, _, wake in wakes if type(wake).__name__ in ("Start", "Once")}
    first = [(0, _asked(ask.new, manager, id_)) for id_ in list(starts.values())[:3]]
    explore(first, following, _states_to_ask(len(wakes)))
    return sent, answered, later


def _states_to_ask(questions: int) -> int:
    """How many states to visit if each is asked this many questions."""
    return max(_FEWEST_STATES, min(MOST_STATES, _MOST_QUESTIONS // max(questions, 1)))


def _answers(state: Any, command: Any) -> Iterable[Any]:
    if not hasattr(state, "handle_rejection"):
        return ()
    rejected = Rejected("made up")
    rejected.command = command
    return _asked(ask.handle_rejection, state, rejected, _record_of(rejected)) or ()


_NamePairs = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class MessageFlow:
    """What leads to what in a model, by type: found by asking the model, or observed in a run.

    ``leads`` are pairs of command and event, ``wakes`` of event and process manager, ``sends`` of process
    manager and command.
    """

    leads: _NamePairs
    wakes: _NamePairs
    sends: _NamePairs
    _reached: dict[str, frozenset[str]] = field(default_factory=dict, compare=False, repr=False)

    def events_of(self, commands: Iterable[str]) -> set[str]:
        """The events that these commands lead to directly."""
        wanted = set(commands)
        return {event for command, event in self.leads if command in wanted}

    def commands_for(self, event: str) -> list[str]:
        """The commands that lead directly to an event, sorted by name."""
        return sorted(command for command, led in self.leads if led == event)

    def senders_of(self, command: str) -> set[str]:
        """The process managers that send a command; empty if only users send it."""
        return {manager for manager, sent in self.sends if sent == command}

    def others_for(self, event: str, manager: str) -> list[str]:
        """The commands that lead to an event and that a manager of that type does not send, by name."""
        return [each for each in self.commands_for(event) if manager not in self.senders_of(each)]

    def reached_by(self, command: str) -> frozenset[str]:
        """The events that a command may lead to, directly or by way of process managers."""
        if command not in self._reached:
            self._reached[command] = frozenset(self._reach(command))
        return self._reached[command]

    def _reach(self, command: str) -> set[str]:
        events: set[str] = set()
        commands, waiting = {command}, [command]
        # If the command is rejected, its sender may send others: they count from the beginning.
        managers = self.senders_of(command)
        while waiting or managers:
            events |= self.events_of(waiting)
            managers |= {manager for event, manager in self.wakes if event in events}
            waiting = [sent for by, sent in self.sends if by in managers and sent not in commands]
            commands |= set(waiting)
            managers = set()
        return events


def message_flow(model: Model, observed: Iterable[tuple[str, str, str]]) -> MessageFlow:
    """What leads to what, given the edges that were observed (see `counters`)."""
    edges = frozenset(
        (source.partition(":")[2], label, target.partition(":")[2]) for source, target, label in observed
    )
    seen = frozenset(each for each in edges if each[1] in _LABELS)
    return model.memo.once(
        _MESSAGE_FLOWS, lambda: _message_flow(model, seen), key=(seen, possible(model).asked)
    )


_SENDS = ("sends", "if rejected", "later")
_WAKES = ("start", "continue", "stop", "answer")
_LABELS = ("leads to", *_SENDS, *_WAKES)


_MESSAGE_FLOWS = Slot[MessageFlow](most=64)


def _message_flow(model: Model, observed: frozenset[tuple[str, str, str]]) -> MessageFlow:
    found = possible(model)

    def seen(*labels: str) -> set[tuple[str, str]]:
        return {(source, target) for source, label, target in observed if label in labels}

    return MessageFlow(
        frozenset({*found.leads, *seen("leads to")}),
        frozenset({*((event, manager) for event, manager, _ in found.reactions), *seen(*_WAKES)}),
        frozenset({*found.sends, *found.answers, *found.later, *seen(*_SENDS)}),
    )
