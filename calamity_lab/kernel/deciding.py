"""What happens at a command's aggregate: it is caught up, it decides, and its events are recorded."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, islice, takewhile
from typing import Any

from msgspec import structs

from calamity_lab.errors import (
    AlreadySettled,
    Rejected,
    StreamDeleted,
    TooManyConflicts,
    WrongExpectedVersion,
)
from calamity_lab.kernel import ask, outbox
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.arguments import store_after
from calamity_lab.kernel.clocks_and_ids import draw, read
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.folding import begun, states_after, what_it_takes
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.in_memory_stores import InMemoryAggregateStore
from calamity_lab.kernel.progress import (
    Appending,
    Basis,
    Executing,
    Handling,
    Populating,
    Run,
)
from calamity_lab.kernel.protocols import BACKWARDS, NO_STREAM
from calamity_lab.kernel.recorded import (
    NO_METADATA,
    Metadata,
    ProposedEvent,
    RecordedEvent,
    of_event,
)
from calamity_lab.kernel.second_arguments import (
    DISPATCH,
    Context,
    as_decided,
    takes_context_or_record,
    takes_record,
)
from calamity_lab.kernel.stack import Stack, changed
from calamity_lab.kernel.steps import (
    Appended,
    Conflicted,
    Dispatched,
    Executed,
    Populated,
    Refused,
    Settled,
    Step,
)


def decide(run: Run, step: Dispatched) -> tuple[Step, Run]:
    """Let the aggregate decide; one that the stack does not know is caught up first."""
    pending, identity = step.pending, step.identity
    if pending.once:
        outcome = outbox.outcome_of(run.stack, pending.command_id)
        if outcome is not None:
            return settled_before(run, pending, outcome)
    before = run.stack.aggregates.get(identity.stream_id)
    if before is None:
        return _populate(run, pending, identity, 0)
    recorded = _taken_in(run.stack, pending, identity)
    if recorded:
        index = run.length + 1
        there = Handling(pending, recorded, 0, 0)
        return Populated(index, pending, identity, 0), Run(run.stack, run.agenda, there, index)
    return _execute(run, pending, identity, 0, before)


def populate(run: Run, progress: Populating) -> tuple[Step, Run]:
    """Catch the command's aggregate up from its stream."""
    return _populate(run, *progress)


def execute(run: Run, progress: Executing) -> tuple[Step, Run]:
    """Let the aggregate decide that was caught up; where its stream had nothing, a new one does."""
    return _execute(run, *progress, run.stack.aggregates.get(progress.identity.stream_id))


def _applied(store: Any, identity: Identity, events: Iterable[RecordedEvent]) -> Any:
    """The store of aggregates after recorded events of one of them."""
    return store_after(store, "apply", store.apply(identity, what_it_takes(identity.type, events)))


def _populate(run: Run, pending: Pending, identity: Identity, attempt: int) -> tuple[Step, Run]:
    stack = run.stack
    missed, _ = events_missed(stack, identity)
    if missed:
        versions = stack.aggregate_versions
        stack = changed(
            stack,
            aggregates=_applied(stack.aggregates, identity, missed),
            aggregate_versions=versions.increment_version(
                identity, missed[-1].stream_version - versions.get(identity.stream_id, 0)
            ),
        )
    index = run.length + 1
    recorded = _carried_out(pending, missed, store_settles=outbox.is_durable(stack.event_store))
    next_ = Handling(pending, recorded, 0, 0) if recorded else Executing(pending, identity, attempt)
    return Populated(index, pending, identity, len(missed)), Run(stack, run.agenda, next_, index)


def _carried_out(
    pending: Pending, missed: list[RecordedEvent], *, store_settles: bool = False
) -> tuple[RecordedEvent, ...]:
    """The events of a command that was carried out before a crash, or by somebody else; they need handing on.

    Only a process manager's command can be known again: its id comes from the event that it answers. A store
    that settles commands says itself what was carried out.
    """
    if pending.sender is None or store_settles:
        return ()
    return tuple([recorded for recorded in missed if recorded.causation_id == pending.command_id])


def _taken_in(stack: Stack, pending: Pending, identity: Identity) -> tuple[RecordedEvent, ...]:
    """The same events, where the aggregate was caught up with them already, for another command's sake.

    They stand behind the event that the command answers, so for most a look at the aggregate's last will do.
    """
    if pending.cause is None or outbox.is_durable(stack.event_store):
        return ()
    stream_id, after, store = identity.stream_id, pending.cause.position, stack.event_store
    version, stream = stack.aggregate_versions.get(stream_id, 0), store.stream
    if store.__class__ is InMemoryEventStore:
        last = store.last(stream_id)
    else:
        last = next(iter(stream(stream_id, start_version=version)), None) if version else None
    if last is None or last.position <= after:
        return ()
    since = takewhile(lambda r: r.position > after, stream(stream_id, direction=BACKWARDS))
    return _carried_out(pending, [r for r in since if r.stream_version <= version][::-1])


def _execute(run: Run, pending: Pending, identity: Identity, attempt: int, before: Any) -> tuple[Step, Run]:
    """What an aggregate decides is no part of the stack before it is recorded."""
    stack = run.stack
    version = stack.aggregate_versions.get(identity.stream_id, 0)
    context = _context(stack, pending, version) if takes_context_or_record(identity.type) else None
    try:
        events, states, aggregates = _decide(stack.aggregates, identity, pending.command, before, context)
    except Rejected as rejected:
        return _stale(run, pending, identity, attempt) or _refuse(run, pending, identity, rejected)
    index = run.length + 1
    step = Executed(index, pending, identity, events, states, before)
    if events:
        basis = None if context is None else Basis(context.now, before)
        next_ = Appending(pending, identity, attempt, events, aggregates, version, basis)
        return step, Run(stack, run.agenda, next_, index)
    return _stale(run, pending, identity, attempt) or (step, Run(stack, run.agenda, step, index))


def append(run: Run, progress: Appending) -> tuple[Step, Run]:
    """Record the events at the end of the aggregate's stream, if nobody else came first."""
    pending, identity, events = progress.pending, progress.identity, progress.events
    aggregates, version, basis = progress.aggregates, progress.version, progress.basis
    stack = outbox.prepared(run.stack)
    now, clock = read(stack.clock)
    now = now if basis is None else basis.now
    fresh, ids = draw(stack.ids, len(events))
    try:
        proposals = _proposed(pending, events, fresh, now)
        recorded, event_store = _record(stack, pending, identity, version, proposals)
    except AlreadySettled as settled:
        return settled_before(_forgetting(run, aggregates, identity), pending, settled.outcome)
    except StreamDeleted as deleted:
        rejected = Rejected(f"{identity.stream_id} was deleted", deleted_at=deleted.deleted_at)
        rejected.command = pending.command
        return _refuse(_forgetting(run, aggregates, identity), pending, identity, rejected)
    except WrongExpectedVersion as conflict:
        recorded, event_store = _recorded_before(stack, progress, version), stack.event_store
        if not recorded:
            return _conflict(run, progress, conflict)
    except Exception:
        aggregates.forget(identity)  # one that lives outside has applied what is not recorded
        raise
    if basis is not None and takes_record(identity.type):
        stack = changed(stack, event_store=event_store, clock=clock, ids=ids)
        return _record_taken_in(run, stack, progress, recorded)
    versions = stack.aggregate_versions.increment_version(identity, len(events))
    stack = changed(
        stack,
        aggregates=aggregates,
        aggregate_versions=versions,
        event_store=event_store,
        clock=clock,
        ids=ids,
    )
    return _appended(run, stack, progress, recorded)


def _record_taken_in(
    run: Run, stack: Stack, progress: Appending, recorded: tuple[RecordedEvent, ...]
) -> tuple[Step, Run]:
    """The step after an append to an aggregate that took its events in as decided, and now as recorded."""
    identity, aggregates, basis = progress.identity, progress.aggregates, progress.basis
    assert basis is not None
    states = states_after(begun(identity) if basis.before is None else basis.before, recorded)
    if aggregates.__class__ is InMemoryAggregateStore:
        aggregates = aggregates.insert(identity.stream_id, states[-1])
    else:
        stream = stack.event_store.stream(identity.stream_id)
        aggregates = _applied(
            store_after(aggregates, "forget", aggregates.forget(identity)), identity, stream
        )
    versions = stack.aggregate_versions
    count = recorded[-1].stream_version - versions.get(identity.stream_id, 0)
    versions = versions.increment_version(identity, count)
    stack = changed(stack, aggregates=aggregates, aggregate_versions=versions)
    return _appended(run, stack, progress, recorded, states)


def _appended(
    run: Run,
    stack: Stack,
    progress: Appending,
    recorded: tuple[RecordedEvent, ...],
    states: tuple[Any, ...] = (),
) -> tuple[Step, Run]:
    pending, index = progress.pending, run.length + 1
    if pending.once:
        stack = outbox.noted(stack, pending, outbox.ACCEPTED)
    step = Appended(index, pending, progress.identity, recorded, states)
    return step, Run(stack, run.agenda, step, index)


def _context(stack: Stack, pending: Pending, version: int) -> Context:
    """The context of a command. The clock moves on only when events are recorded."""
    now, _ = read(stack.clock)
    sender = None if pending.sender is None else pending.sender.stream_id
    metadata = Metadata(pending.metadata) if pending.metadata else NO_METADATA
    return Context(now, pending.command_id, pending.correlation_id, metadata, sender, version)


def _decide(
    store: Any, identity: Identity, command: Any, before: Any, context: Context | None
) -> tuple[tuple[Any, ...], tuple[Any, ...], Any]:
    """The events, the state after each, and the store after all of them."""
    if store.__class__ is InMemoryAggregateStore:
        decided: tuple[tuple[Any, ...], tuple[Any, ...], Any] = store.decide(
            identity, command, before, context
        )
        return decided
    is_taken = context is not None and DISPATCH[type(store)] is not None
    events, after = store.dispatch(command, context) if is_taken else store.dispatch(command)
    store_after(store, "dispatch", after)
    if not events:
        return (), (), after
    # The store has the last state only; the states before are folded again.
    state = begun(identity) if before is None else before
    earlier = events[:-1]
    if context is not None:
        states = states_after(state, as_decided(earlier, identity.stream_id, command, context))
    else:
        states = tuple(accumulate(earlier, ask.apply, initial=state))[1:]
    return tuple(events), (*states, after.get(identity.stream_id)), after


def _stale(run: Run, pending: Pending, identity: Identity, attempt: int) -> tuple[Step, Run] | None:
    """A decision without events is final only when it was made on the latest state; else catch up first."""
    missed, seen = events_missed(run.stack, identity)
    if not missed:
        return None
    attempt += 1
    if attempt > run.stack.conflict_limit:
        raise TooManyConflicts(identity.stream_id, seen, missed[-1].stream_version, attempt, run)
    return _populate(run, pending, identity, attempt)


def _refuse(run: Run, pending: Pending, identity: Identity, rejected: Rejected) -> tuple[Step, Run]:
    index = run.length + 1
    rejected.__traceback__ = rejected.__context__ = None  # a step that is kept must not keep frames
    step = Refused(index, pending, identity, rejected)
    return step, Run(run.stack, run.agenda, step, index)


def _proposed(
    pending: Pending, events: tuple[Any, ...], fresh: tuple[str, ...], now: Any
) -> list[ProposedEvent]:
    sender = pending.sender
    known = of_event(pending.metadata, pending.command_type, None if sender is None else sender.stream_id)
    return [
        ProposedEvent(event, id_, pending.correlation_id, pending.command_id, now, known)
        for event, id_ in zip(events, fresh, strict=True)
    ]


def _record(
    stack: Stack, pending: Pending, identity: Identity, version: int, proposals: list[ProposedEvent]
) -> tuple[tuple[RecordedEvent, ...], Any]:
    store, stream_id, expected = stack.event_store, identity.stream_id, version or NO_STREAM
    if store.__class__ is not InMemoryEventStore and outbox.is_durable(store):
        settles = pending if outbox.settles(stack, pending) else None
        # Their positions, which only the store knows, are 0.
        expected_events = [each.recorded(stream_id, version + n, 0) for n, each in enumerate(proposals, 1)]
        passed = outbox.uninterested(stack, expected_events)
        written: tuple[tuple[RecordedEvent, ...], Any] = store.record(
            stream_id, proposals, expected, settles=settles, passed=passed
        )
        return written
    if store.__class__ is InMemoryEventStore or _records(store):
        recorded: tuple[tuple[RecordedEvent, ...], Any] = store.record(stream_id, proposals, expected)
        return recorded
    store = store_after(store, "append", store.append(stream_id, proposals, expected_version=expected))
    return tuple(islice(store.stream(stream_id, start_version=version + 1), len(proposals))), store


def _records(store: Any) -> bool:
    """Whether the store says itself what it recorded, so that nothing need be read again.

    A subclass that has an append of its own and no record is asked to append.
    """
    either = [vars(cls) for cls in type(store).__mro__ if "append" in vars(cls) or "record" in vars(cls)]
    return bool(either) and "record" in either[0]


def _recorded_before(stack: Stack, progress: Appending, version: int) -> tuple[RecordedEvent, ...]:
    """The very events where they are recorded already: an append of which the outcome was not known."""
    events, command_id = progress.events, progress.pending.command_id
    stream = stack.event_store.stream(progress.identity.stream_id, start_version=version + 1)
    there = tuple(islice(stream, len(events)))
    same = [r.event for r in there if r.causation_id == command_id] == list(events)
    return there if same else ()


def _conflict(run: Run, progress: Appending, conflict: WrongExpectedVersion) -> tuple[Step, Run]:
    """Another writer came first: the aggregate is rebuilt, and asked again."""
    pending, identity, attempt = progress.pending, progress.identity, progress.attempt + 1
    stack = _forgetting(run, progress.aggregates, identity).stack
    again = Populating(pending, identity, attempt)
    if attempt > stack.conflict_limit:
        upto_there = Run(stack, run.agenda, again, run.length)
        raise TooManyConflicts(
            conflict.stream_id, conflict.expected, conflict.actual, attempt, upto_there
        ) from conflict
    index = run.length + 1
    step = Conflicted(index, pending, identity, conflict.expected, conflict.actual, attempt)
    return step, Run(stack, run.agenda, again, index)


def _forgetting(run: Run, aggregates: Any, identity: Identity) -> Run:
    """The run without the aggregate, so that no store shows what was not recorded."""
    versions = run.stack.aggregate_versions
    stack = changed(
        run.stack,
        aggregates=store_after(aggregates, "forget", aggregates.forget(identity)),
        aggregate_versions=versions.increment_version(identity, -versions.get(identity.stream_id, 0)),
    )
    return structs.replace(run, stack=stack)


def settled_before(run: Run, pending: Pending, outcome: outbox.Outcome) -> tuple[Step, Run]:
    """The step of a command that was settled before, by this process or by another."""
    index = run.length + 1
    step = Settled(index, pending, outcome)
    return step, Run(run.stack, run.agenda, step, index)


def events_missed(stack: Stack, identity: Identity) -> tuple[list[RecordedEvent], int]:
    """The events of an aggregate's stream that are not applied yet, and the version of the last one that is.

    An aggregate that the stack does not know has none applied, whatever its version says. The version after
    the events is that of the last one: the first events of a stream may have been deleted from the store.
    """
    known = stack.aggregates.get(identity.stream_id) is not None
    seen = stack.aggregate_versions.get(identity.stream_id, 0) if known else 0
    stream = stack.event_store.stream(identity.stream_id, start_version=seen + 1)
    return list(stream), seen
