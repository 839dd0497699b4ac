"""Faults: what can go wrong between two steps, made to happen where a person wants to see it.

A fault is armed in a run, and `advance` carries it out at the next moment where it fits. That is a step of
its own, `Injected`; what comes of it follows as in any run::

    run = arm(begin(stack, RequestTransfer("t1", "alice", "bob", 60)), Crash())
    run.faults                       # what is armed, in order

A fault that comes in the middle of a command is a step of that command. One that comes while no command is in
progress stands for itself: its step begins it, and `Completed` ends it, as if the fault were the command.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any, NamedTuple, Self, cast

from msgspec import structs

from calamity_lab.errors import InvalidValue, OutOfRange, repr_of
from calamity_lab.kernel import ask, outbox
from calamity_lab.kernel.agenda import Agenda, Pending
from calamity_lab.kernel.arguments import an_instance, are_equal, has, is_a, wrong
from calamity_lab.kernel.clocks_and_ids import draw, jumped, read
from calamity_lab.kernel.event_store import checked_stream_id
from calamity_lab.kernel.identity import Identity, stored_name
from calamity_lab.kernel.progress import Appending, Handling, Run, check_run
from calamity_lab.kernel.protocols import ALL, BACKWARDS
from calamity_lab.kernel.recorded import Metadata, ProposedEvent, RecordedEvent
from calamity_lab.kernel.stack import Stack, changed
from calamity_lab.kernel.steps import Appended, Injected, Step


class Fault:
    """Something that goes wrong; see the classes below."""

    __slots__ = ()

    @property
    def waits_for(self) -> str:
        """The moment at which the fault fits, in words."""
        raise NotImplementedError

    def _fits(self, run: Run) -> bool:
        """Whether the fault can be carried out now."""
        raise NotImplementedError

    def _happen(self, run: Run, armed: ArmedFault) -> tuple[Step, Run]:
        """Carry the fault out, where it fits: the step, and the run after it."""
        raise NotImplementedError

    def _refuse(self, run: Run) -> None:
        """Raise `InvalidValue` where the fault cannot work in a run."""

    def _met(self, step: Step) -> Self:
        """The fault after a step: it may have met the event or the command that it waits for."""
        return self


class ArmedFault(NamedTuple):
    """A fault that waits for its moment. The id names the fault in every run that goes the same way."""

    fault: Fault
    fault_id: str

    @property
    def pending(self) -> Pending:
        """The fault as what is next, where it is carried out while no command is in progress."""
        event = getattr(self.fault, "event", None)
        correlation_id = event.correlation_id if isinstance(event, RecordedEvent) else self.fault_id
        return Pending(self.fault, self.fault_id, correlation_id)

    def fits(self, run: Run) -> bool:
        """Whether the fault can be carried out now."""
        return self.fault._fits(run)

    def happen(self, run: Run) -> tuple[Step, Run]:
        """Carry the fault out, where it fits: the step, and the run after it."""
        return self.fault._happen(run, self)

    def after(self, step: Step) -> ArmedFault:
        """The fault after a step, which may be what it waits for."""
        return ArmedFault(self.fault._met(step), self.fault_id)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class ConcurrentWriter(Fault):
    """Another writer appends events to a stream, between the next decision for this stream and its append.

    So the append conflicts: the aggregate is caught up with the other writer's events, and decides again.
    """

    stream_id: str
    events: tuple[Any, ...]

    def __init__(self, stream_id: str | Identity, *events: Any) -> None:
        works = "ConcurrentWriter('BankAccount-1', event)"
        if not events:
            raise InvalidValue(f"ConcurrentWriter({repr_of(stream_id)}) needs an event: {works}")
        for event in events:
            if is_a(event, type, RecordedEvent, list, tuple, str) and not has(event, "_fields"):
                raise wrong("ConcurrentWriter(event)", event, f"an event, as in {works}")
        checked = checked_stream_id(stream_id, "ConcurrentWriter needs the id of a stream")
        object.__setattr__(self, "stream_id", checked)
        object.__setattr__(self, "events", events)

    @property
    def waits_for(self) -> str:
        """The moment at which the fault fits, in words."""
        return f"the next events that are decided for {self.stream_id}"

    def _fits(self, run: Run) -> bool:
        """Whether events were decided for the stream, and are not recorded yet."""
        progress = run.progress
        return type(progress) is Appending and progress.identity.stream_id == self.stream_id

    def _happen(self, run: Run, armed: ArmedFault) -> tuple[Step, Run]:
        """Record the events of the other writer."""
        stack, fault_id, count = outbox.prepared(run.stack), armed.fault_id, len(self.events)
        now, clock = read(stack.clock)
        fresh, ids = draw(stack.ids, count)
        known = Metadata(fault=type(self).__name__)
        proposals = [
            ProposedEvent(event, id_, fault_id, fault_id, now, known)
            for event, id_ in zip(self.events, fresh, strict=True)
        ]
        store = stack.event_store.append(self.stream_id, proposals)
        latest = islice(store.stream(self.stream_id, direction=BACKWARDS), count)
        after = changed(stack, event_store=store, clock=clock, ids=ids)
        identity = getattr(run.progress, "identity", None)
        return _injected(
            structs.replace(run, stack=after), armed, identity=identity, recorded=tuple(latest)[::-1]
        )

    def __repr__(self) -> str:
        return (
            f"ConcurrentWriter({', '.join([repr_of(each, None) for each in (self.stream_id, *self.events)])})"
        )


@dataclass(frozen=True, slots=True, repr=False)
class Redeliver(Fault):
    """An event is handed to the process managers a second time: a recorded event, or the next one of a class.

    They handle the event as if it were another one, so the commands that they send have other ids. A process
    manager that does not tell a doubled event from a new one then does its work twice.
    """

    event: Any

    def __post_init__(self) -> None:
        """Raise for what is no event."""
        if not is_a(self.event, RecordedEvent, type):
            works = (
                "a recorded event, as in lab.events[3], or the class of the next one, as in FundsWithdrawn"
            )
            raise wrong("Redeliver(event)", self.event, works)

    @property
    def waits_for(self) -> str:
        """The moment at which the fault fits, in words."""
        if isinstance(self.event, RecordedEvent):
            return "the end of the command in progress"
        return f"the next {stored_name(self.event)}"

    def _fits(self, run: Run) -> bool:
        """Whether the event is recorded, and no command is in progress."""
        return run.progress is None and isinstance(self.event, RecordedEvent)

    def _happen(self, run: Run, armed: ArmedFault) -> tuple[Step, Run]:
        """Hand the event on again, from the first process manager on."""
        event: RecordedEvent = self.event
        step, after = _injected(run, armed, identity=Identity.parse(event.stream_id))
        return step, structs.replace(after, progress=Handling(step.pending, (event,), 0, 0))

    def _refuse(self, run: Run) -> None:
        """Raise where the event is not there, or the store keeps marks, which let none be handed on twice."""
        stack, event = run.stack, self.event
        if outbox.is_durable(stack.event_store):
            raise InvalidValue(
                f"{self!r} cannot happen here: {stack.event_store!r} notes which events each process manager "
                "was handed, so none is handed on twice. Use a lab whose stack is in memory, as in Lab(model)"
            )
        if isinstance(event, RecordedEvent):
            there = stack.event_store.stream(event.stream_id, start_version=event.stream_version)
            if next(iter(there), None) != event:
                raise InvalidValue(f"{self!r}: this event is not recorded at this moment; see lab.events")

    def _met(self, step: Step) -> Redeliver:
        """The fault with the event that it waits for, once this is recorded."""
        if isinstance(self.event, RecordedEvent) or type(step) is not Appended:
            return self
        found = (each for each in step.recorded if isinstance(each.event, self.event))
        return next((Redeliver(each) for each in found), self)

    def __repr__(self) -> str:
        event = self.event
        if isinstance(event, RecordedEvent):
            return f"Redeliver({event.event_type} #{event.position})"
        return f"Redeliver({stored_name(event)})"


@dataclass(frozen=True, slots=True, repr=False)
class Lose(Fault):
    """A command that a process manager sent is lost on its way: it is never carried out.

    ``command`` is a class (the next command of it), a command, or a pending one, as in
    ``lab.agenda.pending[0]``.
    """

    command: Any
    command_id: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raise for what is no command."""
        given = self.command
        if is_a(given, Pending):
            if given.sender is None:
                raise InvalidValue(
                    f"Lose({given.command_type}): this command was submitted, not sent by a process manager. "
                    "To take it off the agenda, use lab.drop"
                )
            object.__setattr__(self, "command", given.command)
            object.__setattr__(self, "command_id", given.command_id)
        elif not has(given, "aggregate"):
            works = "a command or its class, as in Lose(DepositFunds), or a pending one of lab.agenda.pending"
            raise wrong("Lose(command)", given, works)

    @property
    def waits_for(self) -> str:
        """The moment at which the fault fits, in words."""
        return f"the next {_name_of(self.command)} that a process manager sends"

    def _fits(self, run: Run) -> bool:
        """Whether the command is pending."""
        return self.command_id is not None and self._entry(run.agenda) is not None

    def _happen(self, run: Run, armed: ArmedFault) -> tuple[Step, Run]:
        """Take the command off the agenda."""
        lost = self._entry(run.agenda)
        assert lost is not None, "the fault fits"
        rest = structs.replace(run, agenda=run.agenda.drop(lost))
        return _injected(rest, armed, identity=lost.sender, lost=(lost,))

    def _refuse(self, run: Run) -> None:
        """Raise where the command is not there, or the store keeps it in its outbox."""
        _refuse_if_kept(
            self, run.stack, "it keeps each command that a process manager sent until it is settled"
        )
        if self.command_id is not None and not self._fits(run):
            raise InvalidValue(f"{self!r}: this command is not pending at this moment; see lab.agenda")

    def _met(self, step: Step) -> Lose:
        """The fault with the command that it waits for, once this is sent."""
        return self if self.command_id is not None else self._among(step.commands)

    def _among(self, sent: Iterable[Pending]) -> Lose:
        """The fault with the first of these commands that fits it."""
        wanted = self.command
        for each in sent:
            if isinstance(each.command, wanted) if is_a(wanted, type) else are_equal(each.command, wanted):
                return Lose(each.command, each.command_id)
        return self

    def _entry(self, agenda: Agenda) -> Pending | None:
        return next((each for each in agenda.entries() if each.command_id == self.command_id), None)

    def __repr__(self) -> str:
        command = self.command
        return f"Lose({stored_name(command) if is_a(command, type) else repr_of(command, None)})"


@dataclass(frozen=True, slots=True)
class Crash(Fault):
    """The process ends after the next append, before the process managers are handed its events.

    What was only in memory is gone: the submitted commands that were pending. What a store keeps comes back,
    as `recover` brings it back: the events that nobody handed on are handed on, and the commands that process
    managers sent are carried out.
    """

    @property
    def waits_for(self) -> str:
        """The moment at which the fault fits, in words."""
        return "the next events that are recorded"

    def _fits(self, run: Run) -> bool:
        """Whether events were just recorded, and not handed on yet."""
        return type(run.progress) is Appended

    def _happen(self, run: Run, armed: ArmedFault) -> tuple[Step, Run]:
        """Forget the commands that were only in memory."""
        pending = run.agenda.pending
        kept = outbox.depth_first([each for each in pending if each.sender is not None])
        lost = tuple([each for each in pending if each.sender is None])
        rest = structs.replace(run, agenda=Agenda(kept, run.agenda.failed))
        return _injected(rest, armed, identity=getattr(run.progress, "identity", None), lost=lost)

    def _refuse(self, run: Run) -> None:
        """Raise where a real process would have to end."""
        _refuse_if_kept(self, run.stack, "only a process that really ends can be recovered from it")


@dataclass(frozen=True, slots=True, repr=False)
class ClockJump(Fault):
    """The clock jumps: from the next step on it is later by this time, or earlier by a negative time."""

    by: timedelta

    def __post_init__(self) -> None:
        """Raise for what is no time to jump by."""
        an_instance("ClockJump(by)", self.by, timedelta, "ClockJump(timedelta(hours=1))")
        if not self.by:
            raise InvalidValue(
                "ClockJump(timedelta(0)) changes nothing. Give a time, as in timedelta(hours=1)"
            )

    @property
    def waits_for(self) -> str:
        """The moment at which the fault fits, in words."""
        return "the next step"

    def _fits(self, run: Run) -> bool:
        """A clock can jump at any time."""
        return True

    def _happen(self, run: Run, armed: ArmedFault) -> tuple[Step, Run]:
        """Let the clock jump."""
        stack = changed(run.stack, clock=jumped(run.stack.clock, self.by))
        return _injected(structs.replace(run, stack=stack), armed, identity=_here(run))

    def __repr__(self) -> str:
        return f"ClockJump({'-' if self.by < timedelta(0) else ''}{abs(self.by)})"


def arm(run: Run, fault: Fault, fault_id: str | None = None) -> Run:
    """The run in which that fault waits for the next moment where it fits.

    ``fault_id`` is the id that the fault had in an earlier run; else it is drawn. Raises `InvalidValue` for a
    fault that cannot work with the stores of the run.
    """
    check_run("arm(run)", run)
    an_instance("inject(fault)", fault, Fault, "lab.inject(Crash())")
    fault._refuse(run)
    if isinstance(fault, Lose) and fault.command_id is None:
        fault = fault._among(each for each in run.agenda.entries() if each.sender is not None)
    if isinstance(fault, ClockJump):
        _check_times(run, fault)
    fresh, ids = draw(run.stack.ids, 1)  # drawn in any case, so that later ids stay the same
    stack = run.stack if ids is run.stack.ids else changed(run.stack, ids=ids)
    return structs.replace(run, stack=stack, faults=(*run.faults, ArmedFault(fault, fault_id or fresh[0])))


def disarm(run: Run, fault_id: str) -> Run:
    """The run without that armed fault. Raises `OutOfRange` where it is not armed."""
    check_run("disarm(run)", run)
    left = tuple([each for each in run.faults if each.fault_id != fault_id])
    if len(left) == len(run.faults):
        raise OutOfRange(f"the fault {repr_of(fault_id)} is not armed; it may have happened. See lab.faults")
    return structs.replace(run, faults=left)


def armed_fault(run: Run, which: int | str | Fault) -> ArmedFault:
    """An armed fault by its index, its id, or the fault itself. Raises `OutOfRange` where there is none."""
    check_run("armed_fault(run)", run)
    faults, last = run.faults, len(run.faults) - 1
    for n, armed in enumerate(faults):
        is_meant = type(which) is int and which == n
        if is_meant or (is_a(which, str) and armed.fault_id == which) or are_equal(armed.fault, which):
            return cast("ArmedFault", armed)
    known = f"armed are the faults 0 to {last}: see lab.faults" if faults else "no fault is armed"
    raise OutOfRange(f"{repr_of(which)} is not armed; {known}")


def next_fault(run: Run) -> ArmedFault | None:
    """The first armed fault that can be carried out now; None where there is none."""
    return next((armed for armed in run.faults if armed.fits(run)), None)


def _injected(run: Run, armed: ArmedFault, **known: Any) -> tuple[Injected, Run]:
    """The step of a fault that was carried out, and the run without it."""
    progress, index = run.progress, run.length + 1
    pending = armed.pending if progress is None else progress.pending
    step = Injected(index, pending, armed.fault, armed.fault_id, **known)
    left = tuple([each for each in run.faults if each.fault_id != armed.fault_id])
    return step, Run(run.stack, run.agenda, step if progress is None else progress, index, left)


def _here(run: Run) -> Identity | None:
    """The aggregate that a run is at: that of its command, else the one whose events were recorded last."""
    if run.progress is not None and not isinstance(run.progress.pending.command, Fault):
        return ask.target(run.progress.pending.command)
    last = next(iter(run.stack.event_store.stream(ALL, direction=BACKWARDS)), None)
    return None if last is None else Identity.parse(last.stream_id)


def _refuse_if_kept(fault: Fault, stack: Stack, why: str) -> None:
    """Raise where the event store outlives the run, and keeps what the fault would lose."""
    if outbox.sets_aside(stack.event_store):
        raise InvalidValue(
            f"{fault!r} cannot happen over {stack.event_store!r}: {why}. To try the fault, open the history "
            "with Lab.attach(store, model), which writes nothing"
        )


def _check_times(run: Run, fault: ClockJump) -> None:
    """Raise for a jump to a time that has no date."""
    jumps = [each.fault.by for each in run.faults if isinstance(each.fault, ClockJump)]
    try:
        read(jumped(run.stack.clock, sum(jumps, fault.by)))
    except (InvalidValue, OverflowError) as error:
        raise InvalidValue(
            f"{fault!r}: the clock would leave the years 1 to 9999. Give a smaller timedelta"
        ) from error


def _name_of(command: Any) -> str:
    return stored_name(command if is_a(command, type) else type(command))
