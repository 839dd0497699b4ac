"""The one function that moves a run: `advance` is the one loop's body; there is no other loop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from msgspec import structs

from calamity_lab.errors import (
    CalamityError,
    EndlessCascade,
    IdleRun,
    InvalidValue,
    ModelError,
    SerializationError,
    repr_of,
)
from calamity_lab.kernel import ask, outbox
from calamity_lab.kernel.agenda import Failure, Pending
from calamity_lab.kernel.arguments import a_text, a_time, an_instance, is_a, wrong
from calamity_lab.kernel.clocks_and_ids import draw, jumped, read
from calamity_lab.kernel.deciding import append, decide, execute, populate
from calamity_lab.kernel.faults import next_fault
from calamity_lab.kernel.progress import (
    Appending,
    Executing,
    Handling,
    Populating,
    Progress,
    Reacting,
    Run,
    Wait,
    check_run,
)
from calamity_lab.kernel.reacting import compensate, complete, hand_on, hand_on_settled, handle, react
from calamity_lab.kernel.stack import Stack, changed
from calamity_lab.kernel.steps import (
    Answered,
    Appended,
    Continued,
    Dispatched,
    Elapsed,
    Executed,
    Failed,
    Ignored,
    Injected,
    Refused,
    Settled,
    Started,
    Step,
    Stopped,
)

__all__ = [
    "Appending",
    "Choice",
    "Executing",
    "Handling",
    "Populating",
    "Progress",
    "Run",
    "Wait",
    "advance",
    "begin",
    "choices",
    "dispatch",
    "due",
    "elapse",
    "wait",
]


def begin(stack: Stack, *commands: Any, metadata: Mapping[str, Any] | None = None) -> Run:
    """A run in which nothing has happened yet; the commands lie on the agenda."""
    an_instance("begin(stack)", stack, Stack, "Stack()")
    return Run(stack).submit(*commands, metadata=metadata)


def advance(run: Run) -> tuple[Step, Run]:
    """Let the smallest thing happen: what it was, and the run after it.

    Raises `IdleRun` when there is nothing to do, `ModelError` when a callback of the model breaks and
    `EndlessCascade` at the cascade limit; each carries the run as it was before.
    """
    try:
        progress = run.progress
        if run.wait is not None:
            return _let_time_pass(run, run.wait)
        if run.faults:
            return _advance_with_faults(run)
        if progress is None:
            return _take(run)
        moved: tuple[Step, Run] = _PHASES[progress.__class__](run, progress)
        return moved
    except CalamityError as error:
        if error.run is None:
            error.run = run
        if isinstance(error, (ModelError, EndlessCascade, SerializationError)):
            pending = run.agenda.take()[0] if progress is None else progress.pending
            if pending.sender is not None and outbox.sets_aside(run.stack.event_store):
                return _set_aside(run, pending, error)
        raise
    except Exception:
        check_run("advance(run)", run)
        raise


def _advance_with_faults(run: Run) -> tuple[Step, Run]:
    """Carry out the first armed fault that fits; else advance the run beside its armed faults."""
    armed = next_fault(run)
    if armed is not None:
        return armed.happen(run)
    try:
        step, after = advance(structs.replace(run, faults=()))
    except CalamityError as error:
        if error.run is not None:
            error.run = structs.replace(error.run, faults=run.faults)
        raise
    return step, structs.replace(after, faults=tuple([each.after(step) for each in run.faults]))


def _set_aside(run: Run, pending: Pending, error: CalamityError) -> tuple[Step, Run]:
    """Go on without a command that cannot be carried out: it stays in the outbox."""
    agenda = run.agenda if run.progress is not None else run.agenda.take()[1]
    index, failure = run.length + 1, Failure(pending, error)
    return Failed(index, pending, failure), Run(run.stack, agenda.fail(failure), None, index)


def wait(
    run: Run, to: datetime | timedelta | None = None, *, wait_id: str | None = None, first: str | None = None
) -> Run:
    """The run in which the next `advance` lets time pass, as `elapse` does.

    ``wait_id`` is the id that this had in an earlier run; else it is drawn. With ``first``, the command id of
    a deadline, this one comes first on the agenda when it is due.
    """
    check_run("wait(run)", run)
    if run.progress is not None:
        raise InvalidValue(
            f"time cannot pass while {run.progress.pending.command_type} is in progress. Advance the run "
            "to the end of the command before, as with lab.step()"
        )
    until = time_to_wait_for(run, to)
    fresh, ids = draw(run.stack.ids, 1)  # drawn in any case, so that later ids stay the same
    stack = run.stack if ids is run.stack.ids else changed(run.stack, ids=ids)
    return structs.replace(run, stack=stack, wait=Wait(until, wait_id or fresh[0], first))


def elapse(run: Run, to: datetime | timedelta | None = None) -> tuple[Elapsed, Run]:
    """Let time pass, to the next deadline or to a time, and put what is due by then on the agenda.

    ``to`` is a time with a time zone, or a time from now on. Nothing else happens; `advance` then carries out
    what is due. A clock that is a value jumps; one that is a function is replaced by one that jumped. Raises
    `InvalidValue` for a time that is past, while a command is in progress, and for no time where there is no
    deadline.
    """
    waiting = wait(run, to)
    step, after = advance(waiting)
    assert isinstance(step, Elapsed), "a wait comes before all else"
    return step, after


def due_from_now(stack: Stack, deadline: Pending) -> datetime:
    """When a deadline is due; one that is overdue is due now, since time does not go back."""
    now, _ = read(stack.clock)
    return now if deadline.due_at is None else max(now, deadline.due_at)


def time_to_wait_for(run: Run, to: datetime | timedelta | None) -> datetime | None:
    """The time that is meant, in UTC; None for the next deadline. Raises `InvalidValue` as `elapse` does."""
    if to is None:
        if run.stack.deadlines.first is None:
            raise InvalidValue(
                "no deadline is set, so there is nothing to wait for. Give a time, as in timedelta(days=1)"
            )
        return None
    if not is_a(to, datetime, timedelta):
        raise wrong(
            "a time to wait for", to, "a timedelta, as in timedelta(days=1), or a datetime with a time zone"
        )
    now, _ = read(run.stack.clock)
    if isinstance(to, datetime) and to.utcoffset() is None:
        raise InvalidValue(f"{to!r} has no time zone. Give one, as in datetime(2026, 3, 1, 9, tzinfo=UTC)")
    try:
        until = now + to if isinstance(to, timedelta) else to.astimezone(UTC)
        if until < now:
            raise InvalidValue(
                f"time does not go back: it is {now:%Y-%m-%d %H:%M:%S} UTC, and {repr_of(to)} is before. "
                "Step back in a lab, or give a later time"
            )
        read(jumped(run.stack.clock, until - now))
    except OverflowError as error:
        raise InvalidValue(f"{repr_of(to)}: the clock would leave the years 1 to 9999. Give less") from error
    return until


def _let_time_pass(run: Run, wait: Wait) -> tuple[Step, Run]:
    stack = run.stack
    now, _ = read(stack.clock)
    until = wait.until
    if until is None:
        following = stack.deadlines.first
        until = now if following is None else following.due_at
    until = max(now, until)
    found = stack.deadlines.due(until)
    clock = stack.clock if until == now else jumped(stack.clock, until - now)
    agenda = run.agenda.submit(found)
    if wait.first is not None and any(each.command_id == wait.first for each in found):
        agenda = agenda.choose(wait.first)
    index = run.length + 1
    step = Elapsed(index, Pending(wait, wait.wait_id, wait.wait_id), now, until, found)
    after = changed(stack, clock=clock, deadlines=stack.deadlines.fallen_due(found))
    return step, Run(after, agenda, None, index, run.faults)


class Choice(NamedTuple):
    """One thing that may happen next, which `take` puts in front.

    It is a pending command, the next deadline, or an armed fault.
    """

    pending: Pending

    @property
    def command(self) -> Any:
        """The command, or the fault, that would come next."""
        return self.pending.command

    @property
    def command_id(self) -> str:
        """The id of that command or fault, which names the choice in every run that goes the same way."""
        return self.pending.command_id

    def is_later(self, run: Run) -> bool:
        """Whether the choice is the next deadline of a run, so that time passes first."""
        following = run.stack.deadlines.first
        return following is not None and following.command_id == self.command_id

    def take(self, run: Run) -> Run:
        """The run in which that happens next; before a deadline, time passes until it is due."""
        check_run("take(run)", run)
        first = [armed for armed in run.faults if armed.fault_id == self.command_id]
        if not first and self.is_later(run):
            return wait(run, first=self.command_id)
        if not first:
            return run.choose(self.pending)
        return structs.replace(
            run, faults=(*first, *[armed for armed in run.faults if armed is not first[0]])
        )

    def __repr__(self) -> str:
        return f"Choice({repr_of(self.command)})"


def choices(run: Run) -> tuple[Choice, ...]:
    """Everything that may happen next.

    These are each pending command, in the agenda's order, the next deadline unless a command is in progress,
    and each armed fault.
    """
    check_run("choices(run)", run)
    following = run.stack.deadlines.first if run.progress is None else None
    deadlines = () if following is None else (following,)
    faults = [armed.pending for armed in run.faults]
    return tuple([Choice(pending) for pending in (*run.agenda.entries(), *deadlines, *faults)])


def dispatch(
    stack: Stack, command: Any, *, metadata: Mapping[str, Any] | None = None, command_id: str | None = None
) -> Stack:
    """The stack after the command and all that it caused. Raises `Rejected` when the command is rejected.

    A command with a ``command_id`` is carried out once: where this id was settled before, the answer is what
    the command came to then. Over a store that outlives the stack, a command that a process manager sent and
    whose callback raised stops nothing else; then the `ModelError` is raised at the end, with the run.
    """
    an_instance("dispatch(stack)", stack, Stack, "dispatch(Stack(), command)")
    run = Run(stack).submit(
        command,
        metadata=metadata,
        command_ids=() if command_id is None else (_checked_id(command_id),),
        once=command_id is not None,
    )
    rejected = None
    while run.progress is not None or run.agenda:
        step, run = advance(run)
        if step.rejected is not None and step.pending.sender is None:
            rejected = step.rejected
            if not step.pending.once:  # else the next step notes what the command came to
                break
    if rejected is not None:
        rejected.run = run
        raise rejected
    return _with_nothing_failed(run)


def due(stack: Stack, now: datetime) -> Stack:
    """The stack after the deadlines that are due at a time, each with all that it causes before the next.

    For a program with a real clock, which calls it now and then: ``due(stack, datetime.now(UTC))``. A clock
    that is a value jumps to when each is due. Deadlines that are set meanwhile and are due by then are
    carried out too; where these do not end, `EndlessCascade` shows the cycle. What process managers send and
    an aggregate rejects is handled as in `dispatch`. Over a store that outlives the stack, deadlines that
    other processes set are carried out, too, each once, whoever comes first; and a deadline whose callback
    raised stops nothing else: the `ModelError` is raised at the end, with the run.
    """
    an_instance("due(stack)", stack, Stack, "due(stack, datetime.now(UTC))")
    a_time("due(now)", now)
    run, meeting = Run(stack), Meeting(now)
    while not (run := meeting.next(run)).idle:
        while not run.idle:
            _, run = advance(run)
    return _with_nothing_failed(run)


class Meeting:
    """The deadlines that are due at a time, one after the other, for whoever advances the run.

    Over a store that outlives the stack these are the deadlines of the store, also those that other
    processes set. ``without`` are the command ids of deadlines to leave out.
    """

    def __init__(self, now: datetime, *, without: Iterable[str] = ()) -> None:
        self._now, self._met = now, set(without)
        self._known, self._count, self._is_asked = 0, 0, False
        self._at_once = (
            0  # how many in a row were due when they were set, so that a chain of them takes no time
        )

    def next(self, run: Run) -> Run:
        """The idle run with the next deadline on its agenda; it stays idle where no more are due.

        Raises `EndlessCascade` where deadlines that are set meanwhile do not end.
        """
        following = run.stack.deadlines.first
        if self._is_asked and not self._count:
            return run  # nothing was due, so nothing changed
        if following is None or following.due_at > self._now or not self._is_asked:
            self._is_asked = True
            stack = outbox.with_deadlines_due(run.stack, self._now, without=self._met)
            run, following = structs.replace(run, stack=stack), stack.deadlines.first
            self._known += len(stack.deadlines.due(self._now))
        if following is None or following.due_at > self._now:
            return run
        self._count += 1
        self._met.add(following.command_id)
        cause, due_at = following.cause, following.due_at
        takes_time = cause is not None and due_at is not None and due_at > cause.recorded_at
        self._at_once = 0 if takes_time else self._at_once + 1
        if self._at_once > self._known + run.stack.cascade_limit:
            raise EndlessCascade(run.stack.cascade_limit, cycle(following), run)
        return _fallen_due(run, following)


def _fallen_due(run: Run, deadline: Pending) -> Run:
    """The run with a deadline on its agenda; a clock that is a value jumps to when the deadline is due."""
    stack = run.stack
    clock, until = stack.clock, deadline.due_at
    if hasattr(clock, "read") and until is not None:
        now, _ = read(clock)
        clock = clock if until <= now else jumped(clock, until - now)
    stack = changed(stack, clock=clock, deadlines=stack.deadlines.fallen_due((deadline,)))
    return Run(stack, run.agenda.submit((deadline,)), None, run.length)


def _with_nothing_failed(run: Run) -> Stack:
    """The stack of a run. Raises what was set aside on the way."""
    for failure in run.failed:
        failure.error.run = run
        raise failure.error
    return run.stack


def _checked_id(given: Any) -> str:
    text = a_text("dispatch(command_id)", given, "a text that your program keeps, as 'order-7'")
    if not text:
        raise wrong("dispatch(command_id)", given, "a text that is not empty")
    return text


def _take(run: Run) -> tuple[Step, Run]:
    if not run.agenda:
        raise IdleRun(run)
    stack = run.stack
    pending, agenda = run.agenda.take()
    if pending.deadline is not None:
        stack = changed(stack, deadlines=stack.deadlines.taken_up(pending))
    if pending.depth > stack.cascade_limit:
        raise EndlessCascade(stack.cascade_limit, cycle(pending), run)
    identity = ask.target(pending.command)
    index = run.length + 1
    step = Dispatched(index, pending, identity)
    return step, Run(stack, agenda, step, index)


_PHASES: dict[type, Any] = {
    Dispatched: decide,
    Populating: populate,
    Executing: execute,
    Appending: append,
    Appended: hand_on,
    Handling: handle,
    Reacting: react,
    Refused: compensate,
    Settled: hand_on_settled,
    Executed: complete,
    Injected: complete,
    Started: complete,
    Continued: complete,
    Stopped: complete,
    Ignored: complete,
    Answered: complete,
}


def cycle(pending: Pending) -> tuple[str, ...]:
    """The command, event and manager types that repeat at the end of a chain of causes, in order.

    Where nothing repeats, the last few links of the chain. The first name is given again at the end.
    """
    links = [_link(p) for p in pending.chain()]
    links.reverse()
    period = _period(links)
    names = [name for link in links[-period:] for name in link]
    return (*names[1:], *names[:1], names[1]) if len(names) > 1 else tuple(names)


def _link(pending: Pending) -> tuple[str, ...]:
    """What woke the sender, the sender, and the command that it sent."""
    if pending.cause is None or pending.sender is None:
        return (pending.command_type,)
    return pending.cause.event_type, pending.sender.category, pending.command_type


def _period(links: list[tuple[str, ...]]) -> int:
    """The shortest tail that stands twice in a row at the end."""
    for length in range(1, len(links) // 2 + 1):
        if links[-length:] == links[-2 * length : -length]:
            return length
    return min(len(links), 6)
