"""Scenarios: given these events, when this command comes, then that happens.

::

    given(FundsDeposited("1", 50)).when(WithdrawFunds("1", 30)).then(FundsWithdrawn("1", 30))
    given(FundsDeposited("1", 5)).when(WithdrawFunds("1", 6)).then_rejected("insufficient funds", balance=5)
    given(*events, manager=Transfer).when(event).then_sends(command, After(timedelta(days=1), another))
    given(*events, model=bank).when(command).then_history(TransferInitiated, FundsWithdrawn, FundsDeposited)
    given(*events, model=shop).when(command).wait(timedelta(minutes=15)).then_history(OrderPlaced, Expired)
    given(*events, projection=Turnover).then_state(Turnover(total=50))

What a scenario says is checked at once: where it does not hold, an `AssertionError` shows what was expected
and what happened, with a mark at each field that differs. Times and ids are the same in each run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import zip_longest
from types import ModuleType
from typing import Any

from calamity_lab.errors import InvalidValue, Rejected, UnknownAttribute, repr_of
from calamity_lab.kernel import ask
from calamity_lab.kernel.agenda import Agenda, Pending
from calamity_lab.kernel.arguments import a_text, are_equal, has, is_a, wrong
from calamity_lab.kernel.clocks_and_ids import read, seeded_ids, ticking_clock
from calamity_lab.kernel.event_store import InMemoryEventStore, proposed_again
from calamity_lab.kernel.folding import Verb, begun, identity_in, instance_of, projected
from calamity_lab.kernel.identity import Identity, identify, stored_name
from calamity_lab.kernel.in_memory_stores import InMemoryProcessManagerStore, InMemoryVersionStore
from calamity_lab.kernel.messages import After, At, Cancel, Later, deadline_name, id_field_of, target_of
from calamity_lab.kernel.outbox import cause_of
from calamity_lab.kernel.progress import Handling
from calamity_lab.kernel.protocols import ALL, BACKWARDS
from calamity_lab.kernel.recorded import NO_METADATA, RecordedEvent
from calamity_lab.kernel.run import Meeting, Run, advance, begin, due_from_now, elapse, time_to_wait_for
from calamity_lab.kernel.schema import declared_names, fields_of, is_message_class
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Refused, Step
from calamity_lab.model import Model, assemble, names_reached
from calamity_lab.text import Call, Chain, Source, code_lines, format_value, plural
from calamity_lab.trace.differences import differences
from calamity_lab.trace.inputs import Submitted, Waited

_LENGTH = 200
_ELSEWHERE = "Given-1"  # the stream of events of which the aggregate does not matter


def given(
    *events: Any,
    manager: type | None = None,
    model: ModuleType | Mapping[str, Any] | Model | None = None,
    projection: type | None = None,
    now: datetime | str | None = None,
) -> Given:
    """Begin a scenario with what has happened before: the events, in order.

    Without more, the events are those of the aggregate of the command that `when` takes. Instead of events,
    its state may be given: ``given(BankAccount("1", balance=50))``. ``manager`` is the process manager that
    gets the events, ``projection`` the read model. With ``model``, a module or what ``Lab(...)`` takes, the
    command runs with all that it causes, and each event goes to the stream of its aggregate. Where the model
    does not say which stream that is, give a dict: ``given({"BankAccount-1": [event]}, model=bank)``.
    ``now`` is the time at which the command or event comes, for a callback that takes it.
    """
    kinds = {"manager": manager, "model": model, "projection": projection}
    named = [name for name, value in kinds.items() if value is not None]
    if len(named) > 1:
        raise InvalidValue(f"given() takes one of {' and '.join(named)}: a scenario is about one of these")
    for name, methods in (("manager", ("interested", "handle")), ("projection", ("new", "apply"))):
        cls = kinds[name]
        if cls is not None and not (is_a(cls, type) and has(cls, *methods)):
            raise wrong(f"given({name})", cls, f"a class with {' and '.join(methods)}, as in {name}=Transfer")
    of = None if model is None else assemble(model, {})
    listed = (
        _streams(events[0]) if len(events) == 1 and type(events[0]) is dict else [(None, e) for e in events]
    )
    for _, event in listed:
        _check_event(event, "given()")
    at = None if now is None else ticking_clock(now).now
    return Given(tuple(listed), manager, of, projection, at, model if is_a(model, ModuleType) else None)


def _streams(streams: Mapping[Any, Any]) -> list[tuple[str | None, Any]]:
    return [
        (a_text("given(stream id)", stream_id, "'BankAccount-1'"), event)
        for stream_id, events in streams.items()
        for event in events
    ]


def _check_event(event: Any, call: str) -> None:
    """Raise for what is no event, and say what it is instead."""
    name = event.__name__ if is_a(event, type) else type(event).__name__
    if is_a(event, type):
        raise InvalidValue(f"{call} takes events, found the class {name}; make an instance: {name}(...)")
    if is_a(event, RecordedEvent) or _is_state(event):
        return
    if has(event, "aggregate"):
        instead = f"write .when({name}(...))" if call == "given()" else "give model= in place of manager="
        raise InvalidValue(f"{call} takes events here, and {name} is a command; {instead}")
    if is_a(event, list, tuple, set, Iterator) and not is_message_class(type(event)):
        raise InvalidValue(
            f"{call} takes events as separate arguments, found a {name}; write {call[:-1]}*events)"
        )
    if type(event).__module__ == "builtins" or is_a(event, Exception):
        raise wrong(f"{call[:-1]}event)", event, "events, as in given(FundsDeposited('1', 50))")


def _is_state(value: Any) -> bool:
    return has(value, "apply") and (has(value, "execute") or has(value, "handle"))


@dataclass(frozen=True, slots=True)
class Given:
    """What has happened before a scenario: `when` continues with what comes now."""

    events: tuple[tuple[str | None, Any], ...] = ()
    manager: type | None = None
    model: Model | None = None
    projection: type | None = None
    now: datetime | None = None
    module: Any = None

    def when(
        self, message: Any, *, metadata: Mapping[str, Any] | None = None, command_id: str | None = None
    ) -> Scenario:
        """The scenario in which this command comes; with ``manager``, this event."""
        if self.projection is not None:
            raise InvalidValue(
                "a projection only takes events in: write given(*events, projection=...).then_state(...)"
            )
        if self.manager is not None:
            _check_event(message, "when()")
            return Scenario(self, message)
        if is_a(message, type):
            name = message.__name__
            raise InvalidValue(
                f"when() takes a command, found the class {name}; make an instance: {name}(...)"
            )
        if not has(message, "aggregate"):
            raise InvalidValue(
                f"when() takes a command, and {repr_of(message)} has no aggregate(). For what a process "
                "manager makes of an event, write given(..., manager=Transfer).when(event)"
            )
        ids = () if command_id is None else (a_text("when(command_id)", command_id, "'c-1'"),)
        return Scenario(self, message, metadata, ids)

    def when_rejected(self, command: Any, reason: str = "rejected", /, **details: Any) -> Scenario:
        """The scenario in which a command that the process manager sent is rejected."""
        if self.manager is None:
            raise InvalidValue("when_rejected() is for process managers: write given(..., manager=Transfer)")
        if not has(command, "aggregate"):
            raise wrong("when_rejected(command)", command, "the command that is rejected")
        rejected = Rejected(a_text("when_rejected(reason)", reason, "'account closed'"), **details)
        rejected.command = command
        return Scenario(self, rejected)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("then") and name != "wait":
            return object.__getattribute__(self, name)
        why = "given(...) only says what happened before"
        if name == "wait":
            why = "the deadlines are those that the command leads to"
        raise UnknownAttribute(f"{name}() comes after when(...): {why}", name=name, obj=self)

    def then_state(self, *states: Any) -> Given:
        """The projection has these states after the events: one, or one per key in the order of the keys."""
        __tracebackhide__ = True
        if self.projection is None:
            raise InvalidValue("then_state() comes after when(...): nothing has been decided yet")
        instances: dict[str, tuple[Identity, Any]] = {}
        for recorded in self.recorded().stream(ALL):
            identity = instance_of(self.projection, recorded)
            if identity is not None:
                _, before = instances.get(identity.stream_id, (identity, None))
                instances[identity.stream_id] = identity, projected(identity, before, recorded)
        found = [state for _, (_, state) in sorted(instances.items())]
        if not found and not ask.is_keyed(self.projection):
            found = [ask.new_projection(self.projection)]
        _compare(f"{stored_name(self.projection)} after {plural(len(self.events), 'event')}", states, found)
        return self

    def states(self) -> list[Any]:
        """The states that were given in place of events."""
        return [each for _, each in self.events if _is_state(each)]

    def recorded(self, stream_id: str = "") -> InMemoryEventStore:
        """The events in a store, those without a stream of their own in that stream."""
        store = InMemoryEventStore(clock=ticking_clock(), ids=seeded_ids("given"))
        for stream, event in self.events:
            if not _is_state(event):
                store = _recorded(store, stream_id or stream or self._stream_of(event), event)
        return store

    def stack(self, store: InMemoryEventStore, **fields: Any) -> Stack:
        """The system with these events, at the time that was given."""
        clock = store.clock if self.now is None else ticking_clock(self.now)
        return Stack(event_store=list(store.stream(ALL)), clock=clock, ids=store.ids, **fields)

    def _stream_of(self, event: Any) -> str:
        if is_a(event, RecordedEvent):
            known: str = event.stream_id
            return known
        return _ELSEWHERE if self.model is None else stream_of(event, self.model)

    def __repr__(self) -> str:
        return str(self.code(Source()))

    def code(self, source: Source) -> Call:
        """The call that makes it."""
        events: list[Any] = [event for _, event in self.events]
        if any(stream for stream, _ in self.events):
            streams: dict[str, list[Any]] = {}
            for stream, event in self.events:
                streams.setdefault(stream or _ELSEWHERE, []).append(event)
            events = [streams]
        call = source.call("given", events)
        named: list[Any] = [
            f"{name}={source.name(cls)}"
            for name, cls in (("manager", self.manager), ("projection", self.projection))
            if cls is not None
        ]
        if self.model is not None:
            named.append(f"model={'model' if self.module is None else source.module(self.module.__name__)}")
        if self.now is not None:
            named += source.call("", (), {"now": self.now}).parts
        return replace(call, parts=(*call.parts, *named))


def stream_of(event: Any, model: Model) -> str:
    """The stream of an event that is given alone: that of the aggregate type that decides such events.

    The id is in the field that the type's ``new`` takes, or in one by which its commands are addressed.
    """
    name, held = stored_name(type(event)), fields_of(event)
    found = []
    for cls in model.aggregates:
        if type(event).__name__ in names_reached(cls, "execute") & names_reached(cls, "apply"):
            addressed = [id_field_of(each) for each in model.commands if target_of(each) is cls]
            first = next((field for field in (*declared_names(cls)[:1], *addressed) if field in held), None)
            if first is not None:
                found.append(identify(cls, held[first]).stream_id)
    if len(found) == 1:
        return found[0]
    known = f"could be of {' and '.join(found)}" if found else "names no aggregate of the model"
    raise InvalidValue(
        f"given({name}(...)): the event {known}. Say which stream it is of: "
        f"given({{'BankAccount-1': [{name}(...)]}}, model=...)"
    )


@dataclass(frozen=True, repr=False)
class Scenario:
    """What happens when a command or an event comes, to be checked; nothing runs before the first check.

    `start` is the run before, and `model` the classes that take part: ``Lab(scenario)`` opens both.
    """

    given: Given
    message: Any
    metadata: Mapping[str, Any] | None = None
    command_ids: tuple[str, ...] = ()
    later: tuple[Waited | Submitted, ...] = ()

    def when(
        self, command: Any, *, metadata: Mapping[str, Any] | None = None, command_id: str | None = None
    ) -> Scenario:
        """The scenario in which this command comes after a `wait`. Else it has one command."""
        if not self.later or isinstance(self.later[-1], Submitted):
            raise InvalidValue(
                "when() was called already, and a scenario has one command. Give what happened before as "
                "events, in given(...), or let time pass between two commands: "
                "given(..., model=bank).when(command).wait().when(another)"
            )
        checked = self.given.when(command, metadata=metadata, command_id=command_id)
        comes = Submitted((command,), command_ids=checked.command_ids, metadata=metadata or NO_METADATA)
        return replace(self, later=(*self.later, comes))

    def wait(self, to: datetime | timedelta | None = None) -> Scenario:
        """The scenario in which time passes then: to the next deadline, for a while, or to a time.

        Each deadline that is due by then is carried out, with all that it causes before the next; also those
        that process managers set because of the events that were given. It needs ``given(..., model=...)``,
        since what a deadline sends goes to the aggregates of a model.
        """
        self._check_kind("wait()", self.given.model is not None, "given(..., model=bank)")
        return replace(self, later=(*self.later, Waited(to)))

    # what is checked

    def then(self, *events: Any) -> Scenario:
        """The command leads to these events, and no others; a class stands for any event of it."""
        __tracebackhide__ = True
        self._check_kind("then()", self.given.manager is None, "then_sends(command)")
        self._not_rejected("then", events)
        _compare(self.title, events, self.events, self)
        return self

    def then_history(self, *events: Any) -> Scenario:
        """The command and all that it causes record these events, in order; a class stands for any event."""
        __tracebackhide__ = True
        self._check_kind("then_history()", self.given.model is not None, "given(..., model=bank)")
        _compare(self.title, events, self.events, self)
        return self

    def then_rejected(self, reason: str | None = None, /, **details: Any) -> Scenario:
        """The command is rejected, with that reason, and with these among its details."""
        __tracebackhide__ = True
        self._check_kind("then_rejected()", self.given.manager is None, "when_rejected(command, reason)")
        wanted = f"expected: rejected{f': {Rejected(reason, **details)}' if reason else ''}"
        if self.rejected is None:
            happened = [f"actual:   {format_value(event, _LENGTH)}" for event in self.events]
            self._fail("is not rejected", [wanted, *(happened or ["actual:   accepted, without an event"])])
            return self
        found = {name: self.rejected.details.get(name, _ABSENT) for name in details}
        differs = reason is not None and self.rejected.reason != reason
        lines = (
            [_line("reason", reason, self.rejected.reason, same=not differs)] if reason is not None else []
        )
        for name, value in details.items():
            same = are_equal(value, found[name])
            differs = differs or not same
            lines.append(_line(name, value, found[name], same=same))
        if differs:
            self._fail("is rejected otherwise than expected", lines)
        return self

    def then_nothing(self) -> Scenario:
        """The command leads to no event; the process manager sends nothing."""
        __tracebackhide__ = True
        if self.given.manager is not None:
            return self.then_sends()
        self._not_rejected("then_nothing", ())
        _compare(self.title, (), self.events, self)
        return self

    def then_sends(self, *commands: Any) -> Scenario:
        """The process manager sends these commands, in this order, and no others.

        Deadlines that it sets and takes off are among them, as in
        ``then_sends(command, After(timedelta(days=1), CancelTransfer("t")))``. They may be given as `After`
        or as `At`, and are compared after the commands.
        """
        __tracebackhide__ = True
        self._check_kind("then_sends()", self.given.manager is not None, "given(..., manager=Transfer)")
        at = {(each.time, deadline_name(each)) for each in commands if isinstance(each, At)}
        _compare(self.title, _commands_first(commands), answered(self.steps, at), self)
        return self

    def then_state(self, *states: Any) -> Scenario:
        """What the aggregate, or the running instances of the process manager, are after that.

        With ``model``, these states are among those of the aggregates and process managers.
        """
        __tracebackhide__ = True
        found = self.states
        if self.given.model is not None:
            found = [_nearest(state, found) for state in states]
        _compare(f"the state after {self.title}", states, found, self)
        return self

    # what happened

    @property
    def events(self) -> list[Any]:
        """The events that were recorded."""
        return [each.event for step in self.steps for each in step.recorded]

    @property
    def sent(self) -> list[Any]:
        """What the process manager answered: commands, deadlines that it set, those that it cancelled."""
        return answered(self.steps)

    @property
    def rejected(self) -> Rejected | None:
        """The rejection of the command; None where it was accepted."""
        own = (step.rejected for step in self.steps if step.pending.sender is None)
        return next((each for each in own if each is not None), None)

    @property
    def states(self) -> list[Any]:
        """The states after it: of the aggregate, of the manager's instances, or of all."""
        stack = self._course[1].stack
        if self.given.model is not None:
            return [*stack.aggregates.values(), *stack.process_managers.values()]
        if self.given.manager is not None:
            return list(stack.process_managers.values())
        identity = ask.target(self.message)
        found = stack.aggregates.get(identity.stream_id)
        return [begun(identity) if found is None else found]

    @property
    def steps(self) -> list[Step]:
        """The steps that were made."""
        return self._course[0]

    @cached_property
    def _course(self) -> tuple[list[Step], Run]:
        steps: list[Step] = []
        run = self._to_rest(self.start, steps)
        for each in self.later:
            if isinstance(each, Submitted):
                run = self._to_rest(each.put(run)[1], steps)
                continue
            until = time_to_wait_for(run, each.to)
            following = run.stack.deadlines.first
            if until is None and following is not None:
                until = due_from_now(run.stack, following)
            assert until is not None, "time_to_wait_for() raises where there is no deadline"
            meeting = Meeting(until)
            while not (run := meeting.next(run)).idle:
                run = self._to_rest(run, steps)
            if read(run.stack.clock)[0] < until:
                run = elapse(run, until)[1]
        return steps, run

    def _to_rest(self, run: Run, steps: list[Step]) -> Run:
        """The run in which nothing is pending any more; its steps are added to the others."""
        while run.progress is not None or (run.agenda and self.given.manager is None):
            step, run = advance(run)
            steps.append(step)
        return run

    @cached_property
    def start(self) -> Run:
        """The run in which the command or the event comes next."""
        if self.given.manager is not None:
            return _at_manager(self.given, self.given.manager, self.message)
        if self.given.model is not None:
            store, types = self.given.recorded(), self.given.model.process_managers
            if not self.later:
                return self._begun(self.given.stack(store, process_manager_types=types))
            handed = {"delivered_types": types, "delivered_upto": (0,) * len(types)}
            return self._begun(_handed_on(self.given.stack(store, process_manager_types=types, **handed)))
        identity = ask.target(self.message)
        store, states = self.given.recorded(identity.stream_id), self.given.states()
        if states and (len(self.given.events) > 1 or type(states[0]) is not identity.type):
            raise InvalidValue(
                f"given({repr_of(states[0])}): give one state of a {stored_name(identity.type)}, or events"
            )
        return self._begun(
            self.given.stack(store, aggregates={identity.stream_id: states[0]} if states else {})
        )

    def _begun(self, stack: Stack) -> Run:
        return begin(stack).submit(self.message, metadata=self.metadata, command_ids=self.command_ids)

    @property
    def model(self) -> Model:
        """The classes that take part."""
        if self.given.model is not None:
            return self.given.model
        known = [type(each) for _, each in self.given.events if not is_a(each, RecordedEvent)]
        if self.given.manager is None:
            return Model.of([ask.target(self.message).type, type(self.message), *known])
        named = Model.of([self.given.manager, *known])
        targets = [cls for cls in map(target_of, named.commands) if is_a(cls, type)]
        return Model.of([*named, *[cls for cls in targets if isinstance(cls, type)]])

    # words

    @property
    def title(self) -> str:
        """The command or the event, in words."""
        if is_a(self.message, Rejected):
            return f"the rejection of {format_value(self.message.command, _LENGTH)}"
        return format_value(getattr(self.message, "event", self.message), _LENGTH)

    def code(self, source: Source) -> Chain:
        """The calls that make it."""
        before = self.given.code(source)
        if is_a(self.message, Rejected):
            rejected = self.message
            call = source.call(".when_rejected", [rejected.command, rejected.reason], rejected.details)
        else:
            call = _when(source, self.message, self.metadata, self.command_ids)
        later = [_later_code(source, each) for each in self.later]
        return Chain((before, call, *later))

    def __repr__(self) -> str:
        return f"Scenario({self.title} after {plural(len(self.given.events), 'event')})"

    # failing

    def _check_kind(self, call: str, fits: bool, instead: str) -> None:
        if not fits:
            raise InvalidValue(f"{call} does not fit this scenario; write {instead}")

    def _not_rejected(self, call: str, events: tuple[Any, ...]) -> None:
        __tracebackhide__ = True
        if self.rejected is not None:
            wanted = [f"expected: {_in_words(event)}" for event in events] or ["expected: no event"]
            self._fail("is rejected", [*wanted, f"actual:   rejected: {self.rejected}"])

    def _fail(self, what: str, lines: Iterable[str]) -> None:
        __tracebackhide__ = True
        raise AssertionError("\n".join([f"{self.title} {what}", *lines, *_opening(self)]))


def _at_manager(given: Given, manager: type, message: Any) -> Run:
    """The run in which an event, or a rejection, is handed to a process manager."""
    before = given.recorded()
    managers, versions = InMemoryProcessManagerStore(), InMemoryVersionStore()
    senders: list[Identity] = []
    for recorded in before.stream(ALL):
        reactions, managers = managers.handle_event(recorded, (manager,))
        for each in reactions:
            versions = versions.increment_version(each.identity, int(Verb(each.verb).changes))
            if is_a(message, Rejected) and any(are_equal(sent, message.command) for sent in each.commands):
                senders.append(each.identity)
    for state in given.states():
        identity = identify(manager, next(iter(fields_of(state).values()), None))
        managers, senders = managers.put(identity, state), [*senders, identity]
    after, event = before, None
    if not is_a(message, Rejected):
        after = _recorded(before, _ELSEWHERE, message)
        event = next(after.stream(ALL, direction=BACKWARDS))
    stack = given.stack(
        after,
        process_managers=managers,
        process_manager_versions=versions,
        process_manager_types=(manager,),
        delivered_types=(manager,),
        delivered_upto=(sum(1 for _ in before.stream(ALL)),),
    )
    if event is not None:
        at = event.recorded_at if given.now is None else given.now
        event = replace(event, recorded_at=at, causation_id=event.causation_id or event.event_id)
        return Run(stack, Agenda(), Handling(cause_of(event), (event,), 0, 0))
    running = [each for each in senders if each.stream_id in managers]
    running = running[-1:] or [identity_in(manager, each) for each in managers]
    if len(running) != 1:
        raise InvalidValue(
            f"when_rejected(): no running {stored_name(manager)} has sent {repr_of(message.command)}. "
            f"Running: {', '.join(managers) or 'none'}; give the events that start it"
        )
    cause = next(before.stream(ALL, direction=BACKWARDS), None)
    pending = Pending(message.command, "rejected", "rejected", 1, cause, running[0])
    return Run(stack, Agenda(), Refused(0, pending, ask.target(message.command), message))


def _handed_on(stack: Stack) -> Stack:
    """The stack whose process managers got the events that were given, so that their deadlines are set.

    The commands that they sent are no part of it: what came of these is among the events, or did not happen.
    """
    for event in stack.event_store.stream(ALL):
        run = Run(stack, Agenda(), Handling(cause_of(event), (event,), 0, 0))
        while run.progress is not None:
            _, run = advance(run)
        stack = run.stack
    return stack


def _recorded(store: InMemoryEventStore, stream_id: str, event: Any) -> InMemoryEventStore:
    """The store with a bare event, or with one that was recorded elsewhere."""
    if is_a(event, RecordedEvent):
        event, stream_id = proposed_again(event), event.stream_id
    return store.append(stream_id, [event])


# What differs, in words.


class _Absent:
    def __repr__(self) -> str:
        return "absent"


_ABSENT = _Absent()


def _in_words(event: Any) -> str:
    return f"any {event.__name__}" if is_a(event, type) else format_value(event, _LENGTH)


def _fits(wanted: Any, found: Any) -> bool:
    if is_a(wanted, type):
        return type(found) is wanted
    return type(found) is type(wanted) and are_equal(wanted, found)


def _nearest(state: Any, found: list[Any]) -> Any:
    """The state of the same class that is meant: an equal one, or the one with the same id."""
    alike = [each for each in found if type(each) is type(state)]
    first = next(iter(fields_of(state).values()), None)
    same = [each for each in alike if are_equal(each, state)]
    same = same or [each for each in alike if are_equal(next(iter(fields_of(each).values()), None), first)]
    return same[0] if same else _ABSENT


def answered(steps: Iterable[Step], at: Set[tuple[datetime, str]] = frozenset()) -> list[Any]:
    """What process managers answered at these steps: commands, deadlines that they set, and cancelled ones.

    Deadlines with the times and names of ``at`` are shown as `At`, others as `After`.
    """
    steps = [step for step in steps if step.trigger is not None]
    commands = [pending.command for step in steps for pending in step.commands]
    later = [_later(each, step, at) for step in steps for each in step.deadlines]
    return [*commands, *later, *[Cancel(name) for step in steps for name in _cancelled(step)]]


def _commands_first(answers: Sequence[Any]) -> list[Any]:
    """What a process manager is to answer, in the order of `Scenario.sent`."""
    commands = [each for each in answers if not isinstance(each, Later)]
    later = [each for each in answers if isinstance(each, After | At)]
    cancelled = [Cancel(each.name) for each in answers if isinstance(each, Cancel)]
    return [*commands, *[replace(each, name=_given_name(each)) for each in later], *cancelled]


def _given_name(later: After | At) -> str | None:
    """The name of a deadline, where it is another than that of its command's class."""
    name = deadline_name(later)
    return None if name == stored_name(type(later.command)) else name


def _later(deadline: Pending, step: Step, at: Set[tuple[datetime, str]]) -> After | At:
    """A deadline as it was set: with its delay, or with its time where that is asked for."""
    assert deadline.due_at is not None, "a deadline has a time"
    trigger, name = step.trigger, deadline.deadline
    given = None if name == deadline.command_type else name
    if (deadline.due_at, name) in at or not isinstance(trigger, RecordedEvent):
        return At(deadline.due_at, deadline.command, given)
    return After(max(deadline.due_at - trigger.recorded_at, timedelta(0)), deadline.command, given)


def _cancelled(step: Step) -> list[str]:
    """The names of the deadlines that a process manager cancelled, also where there was none."""
    if step.after is None:  # the instance has ended, and answered nothing
        return []
    again = {each.deadline for each in step.deadlines}
    gone = [str(each.deadline) for each in step.taken_off if each.deadline not in again]
    return [*gone, *getattr(step, "not_there", ())]


def _compare(title: str, wanted: Iterable[Any], found: list[Any], scenario: Scenario | None = None) -> None:
    """Raise an `AssertionError` where these are not the same, with a mark at each field that differs."""
    __tracebackhide__ = True
    wanted = list(wanted)
    if len(wanted) == len(found) and all(map(_fits, wanted, found)):
        return
    lines = [
        line
        for one, other in zip_longest(wanted, found, fillvalue=_ABSENT)
        for line in _difference(one, other)
    ]
    opening = [] if scenario is None else _opening(scenario)
    raise AssertionError("\n".join([f"{title} is not as expected", *lines, *opening]))


def _difference(wanted: Any, found: Any) -> Iterator[str]:
    """The lines of one event, command or state: whole where it is the same, else each field with a mark."""
    if wanted is _ABSENT:
        yield f"> not expected: {format_value(found, _LENGTH)}"
    elif found is _ABSENT:
        yield f"> missing:      {_in_words(wanted)}"
    elif _fits(wanted, found):
        yield f"  as expected:  {format_value(found, _LENGTH)}"
    elif type(wanted) is not type(found):
        yield f"> expected:     {_in_words(wanted)}"
        yield f"  actual:       {format_value(found, _LENGTH)}"
    else:
        yield f"> {stored_name(type(found))}"
        paths = {each.field for each in differences(fields_of(wanted), fields_of(found))}
        before, after = fields_of(wanted), fields_of(found)
        for name in {**before, **after}:
            one, other = before.get(name, _ABSENT), after.get(name, _ABSENT)
            yield f"    {_line(name, one, other, same=name not in paths)}"
        if not paths:
            yield f"    expected {repr_of(wanted, _LENGTH)}, actual {repr_of(found, _LENGTH)}"


def _line(name: str, wanted: Any, found: Any, *, same: bool) -> str:
    if same:
        return f"  {name}: {repr_of(found, _LENGTH)}"
    return f"> {name}: expected {repr_of(wanted, _LENGTH)}, actual {repr_of(found, _LENGTH)}"


def _when(source: Source, message: Any, metadata: Any, command_ids: Sequence[str]) -> Call:
    named: dict[str, Any] = {"metadata": dict(metadata)} if metadata else {}
    named |= {"command_id": command_ids[0]} if command_ids else {}
    return source.call(".when", [message], named)


def _later_code(source: Source, put: Waited | Submitted) -> Call:
    """The call of what came after the first command of a scenario."""
    if isinstance(put, Waited):
        return source.call(".wait", [] if put.to is None else [put.to], {})
    return _when(source, put.commands[0], put.metadata, put.command_ids)


def _opening(scenario: Scenario) -> list[str]:
    """The calls that open a scenario in a lab."""
    try:
        call = list(code_lines(Call("Lab(", (scenario.code(Source()),))))
    except InvalidValue:  # a value that has no code
        call = ["Lab(given(...).when(...))"]
    return ["", "To look at it step by step:", *(f"    {line}" for line in call)]
