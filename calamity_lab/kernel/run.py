"""The one function that moves a run: `advance` is the one loop's body; there is no other loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from calamity_lab.errors import (
    CalamityError,
    EndlessCascade,
    IdleRun,
    ModelError,
    SerializationError,
    repr_of,
)
from calamity_lab.kernel import ask, outbox
from calamity_lab.kernel.agenda import Failure, Pending
from calamity_lab.kernel.arguments import a_text, an_instance, wrong
from calamity_lab.kernel.deciding import append, decide, execute, populate
from calamity_lab.kernel.faults import due
from calamity_lab.kernel.progress import (
    Appending,
    Executing,
    Handling,
    Populating,
    Progress,
    Reacting,
    Run,
    check_run,
)
from calamity_lab.kernel.reacting import compensate, complete, hand_on, hand_on_settled, handle, react
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import (
    Answered,
    Appended,
    Continued,
    Dispatched,
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
    "advance",
    "begin",
    "choices",
    "dispatch",
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
    armed = due(run)
    if armed is not None:
        return armed.happen(run)
    try:
        step, after = advance(run._replace(faults=()))
    except CalamityError as error:
        if error.run is not None:
            error.run = error.run._replace(faults=run.faults)
        raise
    return step, after._replace(faults=tuple([each.after(step) for each in run.faults]))


def _set_aside(run: Run, pending: Pending, error: CalamityError) -> tuple[Step, Run]:
    """Go on without a command that cannot be carried out: it stays in the outbox."""
    agenda = run.agenda if run.progress is not None else run.agenda.take()[1]
    index, failure = run.length + 1, Failure(pending, error)
    return Failed(index, pending, failure), Run(run.stack, agenda.fail(failure), None, index)


class Choice(NamedTuple):
    """One thing that may happen next: a pending command or an armed fault, which `take` puts in front."""

    pending: Pending

    @property
    def command(self) -> Any:
        """The command, or the fault, that would come next."""
        return self.pending.command

    @property
    def command_id(self) -> str:
        """The id of that command or fault, which names the choice in every run that goes the same way."""
        return self.pending.command_id

    def take(self, run: Run) -> Run:
        """The run in which that happens next."""
        check_run("take(run)", run)
        first = [armed for armed in run.faults if armed.fault_id == self.command_id]
        if not first:
            return run.choose(self.pending)
        return run._replace(faults=(*first, *[armed for armed in run.faults if armed is not first[0]]))

    def __repr__(self) -> str:
        return f"Choice({repr_of(self.command)})"


def choices(run: Run) -> tuple[Choice, ...]:
    """Everything that may happen next: each pending command, in the agenda's order, and each armed fault."""
    check_run("choices(run)", run)
    faults = [armed.pending for armed in run.faults]
    return tuple([Choice(pending) for pending in (*run.agenda.entries(), *faults)])


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
