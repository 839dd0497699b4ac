"""A run: a stack and what is still to happen to it. `advance` is the one loop's body; there is no other."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple

from calamity_lab.errors import (
    CalamityError,
    EndlessCascade,
    IdleRun,
    Rejected,
    TooManyConflicts,
    WrongExpectedVersion,
)
from calamity_lab.kernel import callbacks
from calamity_lab.kernel.agenda import Agenda, Pending
from calamity_lab.kernel.cascade import cycle
from calamity_lab.kernel.catching_up import catch_up, events_missed, lags
from calamity_lab.kernel.constants import NO_STREAM
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.recorded import ProposedEvent, RecordedEvent
from calamity_lab.kernel.sources import draw, read
from calamity_lab.kernel.stack import Stack, Watermark, changed
from calamity_lab.kernel.steps import (
    Appended,
    AtProcessManager,
    Completed,
    Conflicted,
    Continued,
    Dispatched,
    Executed,
    Ignored,
    Populated,
    Refused,
    Started,
    Step,
    Stopped,
)

_log = logging.getLogger("calamity_lab")

_KINDS: dict[str, type[AtProcessManager]] = {
    "started": Started,
    "continued": Continued,
    "stopped": Stopped,
    "ignored": Ignored,
}


class Populating(NamedTuple):
    """In progress: the command's aggregate is to be caught up from its stream."""

    pending: Pending
    identity: Identity
    attempt: int


class Executing(NamedTuple):
    """In progress: the aggregate is to decide."""

    pending: Pending
    identity: Identity
    attempt: int


class Appending(NamedTuple):
    """In progress: decided events are to be recorded; ``aggregates`` is the store with them applied."""

    pending: Pending
    identity: Identity
    attempt: int
    events: tuple[Any, ...]
    aggregates: Any


class Handling(NamedTuple):
    """In progress: recorded events are to be handed to process managers; the next is ``event``, ``manager``."""

    pending: Pending
    recorded: tuple[RecordedEvent, ...]
    event: int
    manager: int


class Compensating(NamedTuple):
    """In progress: a refusal is to be told to the process manager that sent the command."""

    pending: Pending
    rejected: Rejected


class Completing(NamedTuple):
    """In progress: nothing is left to do for the command."""

    pending: Pending


Progress = Populating | Executing | Appending | Handling | Compensating | Completing


class Run(NamedTuple):
    """A stack, the agenda of pending commands, and how far the command in progress has come.

    ``length`` is the number of steps so far.
    """

    stack: Stack
    agenda: Agenda = Agenda()
    progress: Progress | None = None
    length: int = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is in progress and the agenda is empty."""
        return self.progress is None and not self.agenda

    def submit(self, *commands: Any, metadata: Mapping[str, Any] | None = None) -> Run:
        """The run with further commands at the end of its agenda; nothing happens yet."""
        fresh, ids = draw(self.stack.ids, len(commands))
        known = dict(metadata or {})
        pending = [Pending(c, id_, id_, metadata=known) for c, id_ in zip(commands, fresh, strict=True)]
        return self._replace(stack=changed(self.stack, ids=ids), agenda=self.agenda.submit(pending))

    def choose(self, index: int) -> Run:
        """The run in which the pending command at ``index`` comes next."""
        return self._replace(agenda=self.agenda.choose(index))

    def drop(self, index: int) -> Run:
        """The run without the pending command at ``index``."""
        return self._replace(agenda=self.agenda.drop(index))


def begin(stack: Stack, *commands: Any, metadata: Mapping[str, Any] | None = None) -> Run:
    """A run in which nothing has happened yet; the commands lie on the agenda."""
    return Run(stack).submit(*commands, metadata=metadata)


def advance(run: Run) -> tuple[Step, Run]:
    """Let the smallest thing happen: what it was, and the run after it.

    Raises `IdleRun` when there is nothing to do, `ModelError` when a callback of the model breaks and
    `EndlessCascade` at the cascade limit; each carries the run as it was before.
    """
    progress = run.progress
    try:
        if progress is None:
            return _dispatch(run)
        return _PHASES[type(progress)](run, progress)
    except CalamityError as error:
        if error.run is None:
            error.run = run
        raise


def dispatch(stack: Stack, command: Any) -> Stack:
    """The stack after the command and all that it caused. Raises `Rejected` when the command is refused."""
    run = begin(stack, command)
    while not run.idle:
        step, run = advance(run)
        if type(step) is Refused and step.pending.sender is None:
            raise step.rejected
    return run.stack


def _dispatch(run: Run) -> tuple[Step, Run]:
    if not run.agenda:
        raise IdleRun(run)
    stack = run.stack
    pending, agenda = run.agenda.take()
    if pending.depth > stack.cascade_limit:
        raise EndlessCascade(stack.cascade_limit, cycle(pending), run)
    identity = callbacks.target(pending.command)
    known = identity.stream_id in stack.aggregates
    progress = (Executing if known else Populating)(pending, identity, 0)
    index = run.length + 1
    return Dispatched(index, pending, identity), Run(stack, agenda, progress, index)


def _populate(run: Run, progress: Populating) -> tuple[Step, Run]:
    pending, identity, attempt = progress
    stack = run.stack
    missed = events_missed(stack, identity)
    if missed:
        stack = changed(
            stack,
            aggregates=stack.aggregates.apply(identity, missed),
            aggregate_versions=stack.aggregate_versions.increment_version(identity, len(missed)),
        )
    index = run.length + 1
    next_ = Executing(pending, identity, attempt)
    return Populated(index, pending, identity, len(missed)), Run(stack, run.agenda, next_, index)


def _execute(run: Run, progress: Executing) -> tuple[Step, Run]:
    pending, identity, attempt = progress
    stack = run.stack
    index = run.length + 1
    before = stack.aggregates.get(identity.stream_id)
    try:
        events, aggregates = stack.aggregates.dispatch(pending.command)
    except Rejected as rejected:
        return _refuse(run, progress, rejected)
    if not events:
        step = Executed(index, pending, identity, (), (), before)
        return step, Run(stack, run.agenda, Completing(pending), index)
    states = _states(before, identity, events, aggregates)
    step = Executed(index, pending, identity, tuple(events), states, before)
    next_ = Appending(pending, identity, attempt, tuple(events), aggregates)
    return step, Run(stack, run.agenda, next_, index)


def _states(before: Any, identity: Identity, events: tuple[Any, ...], aggregates: Any) -> tuple[Any, ...]:
    """The state after each event; the store has the last, the others are folded again."""
    last = aggregates.get(identity.stream_id)
    if len(events) == 1:
        return (last,)
    state = callbacks.new(identity.type, identity.id) if before is None else before
    states = []
    for event in events[:-1]:
        state = callbacks.apply(state, event)
        states.append(state)
    return (*states, last)


def _refuse(run: Run, progress: Executing, rejected: Rejected) -> tuple[Step, Run]:
    """A refusal is final only when it was decided on the latest state; else catch up and decide again."""
    pending, identity, _ = progress
    if events_missed(run.stack, identity):
        return _populate(run, Populating(*progress))
    index = run.length + 1
    next_ = Completing(pending) if pending.sender is None else Compensating(pending, rejected)
    step = Refused(index, pending, identity, rejected.with_traceback(None))
    return step, Run(run.stack, run.agenda, next_, index)


def _append(run: Run, progress: Appending) -> tuple[Step, Run]:
    pending, identity, _, events, aggregates = progress
    stack = run.stack
    stream_id = identity.stream_id
    version = stack.aggregate_versions.get(stream_id, 0)
    now, clock = read(stack.clock)
    fresh, ids = draw(stack.ids, len(events))
    metadata = _metadata(pending)
    proposals = [
        ProposedEvent(event, id_, pending.correlation_id, pending.command_id, now, metadata)
        for event, id_ in zip(events, fresh, strict=True)
    ]
    try:
        event_store = stack.event_store.append(stream_id, proposals, expected_version=version or NO_STREAM)
    except WrongExpectedVersion as conflict:
        return _conflict(run, progress, conflict)
    recorded = tuple(islice(event_store.stream(stream_id, start_version=version + 1), len(events)))
    stack = changed(
        stack,
        aggregates=aggregates,
        aggregate_versions=stack.aggregate_versions.increment_version(identity, len(events)),
        event_store=event_store,
        clock=clock,
        ids=ids,
    )
    index = run.length + 1
    next_ = Handling(pending, recorded, 0, 0) if stack.process_manager_types else Completing(pending)
    return Appended(index, pending, identity, recorded), Run(stack, run.agenda, next_, index)


def _metadata(pending: Pending) -> dict[str, Any]:
    metadata = {**pending.metadata, "command": type(pending.command).__name__}
    if pending.sender is not None:
        metadata["process_manager"] = pending.sender.stream_id
    return metadata


def _conflict(run: Run, progress: Appending, conflict: WrongExpectedVersion) -> tuple[Step, Run]:
    """Another writer came first: forget the aggregate, so that no store shows what was not recorded."""
    pending, identity, attempt, _, aggregates = progress
    stack = run.stack
    attempt += 1
    if attempt > stack.conflict_limit:
        raise TooManyConflicts(conflict.stream_id, conflict.expected, conflict.actual, attempt, run) from conflict
    version = stack.aggregate_versions.get(identity.stream_id, 0)
    stack = changed(
        stack,
        aggregates=aggregates.forget(identity),
        aggregate_versions=stack.aggregate_versions.increment_version(identity, -version),
    )
    index = run.length + 1
    step = Conflicted(index, pending, identity, conflict.expected, conflict.actual, attempt)
    return step, Run(stack, run.agenda, Populating(pending, identity, attempt), index)


def _handle(run: Run, progress: Handling) -> tuple[Step, Run]:
    pending, recorded, at_event, at_manager = progress
    stack = run.stack
    types = stack.process_manager_types
    while at_event < len(recorded):
        event = recorded[at_event]
        while at_manager < len(types):
            manager = types[at_manager]
            at_manager += 1
            if lags(stack, manager, recorded[0].position):
                interest = callbacks.interested(manager, event.event)
                if interest is None:
                    continue
                stack = catch_up(stack, recorded[0].position)
            reactions, process_managers = stack.process_managers.handle_event(event, (manager,))
            if reactions:
                next_ = Handling(pending, recorded, at_event, at_manager)
                return _react(run, stack, next_, reactions[0], process_managers)
        at_event, at_manager = at_event + 1, 0
    if not lags(stack, None, recorded[0].position):
        stack = changed(stack, watermark=Watermark(recorded[-1].position, types))
    return _complete(run._replace(stack=stack), Completing(pending))


def _react(
    run: Run, stack: Stack, progress: Handling, reaction: Any, process_managers: Any
) -> tuple[Step, Run]:
    pending, event = progress.pending, progress.recorded[progress.event]
    identity = Identity(reaction.manager, reaction.id)
    before = stack.process_managers.get(identity.stream_id)
    after = process_managers.get(identity.stream_id)
    kind = _KINDS[reaction.verb.value]
    caused, ids = _caused(stack, pending, event, identity, reaction.commands)
    versions = stack.process_manager_versions
    if kind is not Ignored:
        versions = versions.increment_version(identity, 1)
    stack = changed(
        stack, process_managers=process_managers, process_manager_versions=versions, ids=ids
    )
    index = run.length + 1
    agenda = run.agenda.cause(caused) if caused else run.agenda
    step = kind(index, pending, identity, event, before, after, caused)
    return step, Run(stack, agenda, progress, index)


def _caused(
    stack: Stack, pending: Pending, cause: RecordedEvent | None, sender: Identity, commands: tuple[Any, ...]
) -> tuple[tuple[Pending, ...], Any]:
    if not commands:
        return (), stack.ids
    fresh, ids = draw(stack.ids, len(commands))
    depth, correlation_id, metadata = pending.depth + 1, pending.correlation_id, pending.metadata
    return tuple(
        [
            Pending(command, id_, correlation_id, depth, cause, sender, metadata, pending)
            for command, id_ in zip(commands, fresh, strict=True)
        ]
    ), ids


def _compensate(run: Run, progress: Compensating) -> tuple[Step, Run]:
    """Tell the sender of a refused command; what it answers is caused by the event that it had answered."""
    pending, rejected = progress
    stack, sender = run.stack, pending.sender
    assert sender is not None, "only a process manager's command is compensated"
    instance = stack.process_managers.get(sender.stream_id)
    index = run.length + 1
    if instance is None:
        step: Step = Ignored(index, pending, sender, rejected, None, None)
        return step, Run(stack, run.agenda, Completing(pending), index)
    if not hasattr(instance, "handle_rejection"):
        _log.warning(
            "%s was refused (%s), and %s has no handle_rejection(rejected) to answer it",
            type(pending.command).__name__, rejected, sender,
        )
        return _complete(run, Completing(pending))
    commands = callbacks.handle_rejection(instance, rejected)
    caused, ids = _caused(stack, pending, pending.cause, sender, commands)
    step = Continued(index, pending, sender, rejected, instance, instance, caused)
    agenda = run.agenda.cause(caused)
    return step, Run(changed(stack, ids=ids), agenda, Completing(pending), index)


def _complete(run: Run, progress: Completing) -> tuple[Step, Run]:
    index = run.length + 1
    return Completed(index, progress.pending), Run(run.stack, run.agenda.settle(), None, index)


_PHASES: dict[type, Any] = {
    Populating: _populate,
    Executing: _execute,
    Appending: _append,
    Handling: _handle,
    Compensating: _compensate,
    Completing: _complete,
}
