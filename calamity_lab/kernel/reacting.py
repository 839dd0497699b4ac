"""What process managers make of a command's events, or of its rejection, until the command is done."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import dropwhile, takewhile
from typing import Any

from msgspec import structs

from calamity_lab.errors import AlreadySettled, ModelError, SerializationError
from calamity_lab.kernel import ask, outbox
from calamity_lab.kernel.agenda import (
    Failure,
    Pending,
)
from calamity_lab.kernel.clocks_and_ids import read
from calamity_lab.kernel.deadlines import NO_CHANGES, all_taken_off, answers, change, has_later
from calamity_lab.kernel.deciding import settled_before
from calamity_lab.kernel.faults import Redeliver
from calamity_lab.kernel.folding import Verb, verb_of
from calamity_lab.kernel.from_functions import PolicyType
from calamity_lab.kernel.identity import Identity, identify, stored_name
from calamity_lab.kernel.in_memory_stores import InMemoryProcessManagerStore
from calamity_lab.kernel.messages import Interest, Start
from calamity_lab.kernel.progress import Handling, InstanceReaction, Reacting, Run
from calamity_lab.kernel.protocols import ALL, BACKWARDS
from calamity_lab.kernel.recorded import KeptRejection, RecordedEvent
from calamity_lab.kernel.stack import Stack, changed, moved
from calamity_lab.kernel.steps import (
    Answered,
    Appended,
    AtProcessManager,
    CaughtUp,
    Completed,
    Continued,
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

Met = tuple[RecordedEvent, tuple[Interest, ...]]


_log = logging.getLogger("calamity_lab")

_NEVER = datetime.min.replace(tzinfo=UTC)

_KINDS: dict[Verb, type[AtProcessManager]] = {
    Verb.STARTED: Started,
    Verb.CONTINUED: Continued,
    Verb.STOPPED: Stopped,
    Verb.IGNORED: Ignored,
    Verb.ANSWERED: Answered,
}


def hand_on(run: Run, step: Appended) -> tuple[Step, Run]:
    """Hand the events on that were just recorded."""
    return _hand_on(run, step.pending, step.recorded, 0, 0)


def handle(run: Run, progress: Handling) -> tuple[Step, Run]:
    """Hand the events on from where they were left."""
    return _hand_on(run, *progress)


def hand_on_settled(run: Run, step: Settled) -> tuple[Step, Run]:
    """Hand the events on of a command that was carried out before, as far as nobody has done so."""
    recorded = _recorded_for(run.stack, step.pending) if step.outcome == outbox.ACCEPTED else ()
    return _hand_on(run, step.pending, recorded, 0, 0)


def _recorded_for(stack: Stack, pending: Pending) -> tuple[RecordedEvent, ...]:
    """The events of a command that its event store has settled."""
    if not outbox.is_durable(stack.event_store):
        return ()  # a value handed them on when it took them in
    stream_id = ask.target(pending.command).stream_id
    stream = stack.event_store.stream(stream_id, direction=BACKWARDS)
    latest = dropwhile(lambda r: r.causation_id != pending.command_id, stream)
    return tuple(takewhile(lambda r: r.causation_id == pending.command_id, latest))[::-1]


def _hand_on(
    run: Run, pending: Pending, recorded: tuple[RecordedEvent, ...], at_event: int, at_manager: int
) -> tuple[Step, Run]:
    """Hand the events on, in order, up to the first that a process manager is interested in."""
    if outbox.is_durable(run.stack.event_store):
        return _hand_on_once(run, pending, recorded, at_event, at_manager)
    stack = run.stack
    types, delivered = stack.process_manager_types, list(stack.delivered_upto)
    is_again = type(pending.command) is Redeliver
    for n in range(at_event, len(recorded)):
        event = recorded[n]
        position = event.position
        for m in range(at_manager, len(types)):
            if delivered[m] >= position and not is_again:
                continue  # the type has seen it: the command was carried out before
            if delivered[m] < position - 1:  # others have written meanwhile, or the type is new here
                interests = ask.interested(types[m], event.event, event)
                if not interests:
                    continue
                stack, count = catch_up(changed(stack, delivered_upto=tuple(delivered)), m, position - 1)
                delivered[m] = position - 1
                if count:
                    there = Handling(pending, recorded, n, m)
                    return _caught_up(run, stack, there, identify(types[m], interests[0].id), count)
            reactions, process_managers = outbox.handled(stack.process_managers, event, types[m])
            delivered[m] = max(position, delivered[m])
            if reactions:
                is_last = m + 1 == len(types) and n + 1 == len(recorded)
                left = None if is_last else Handling(pending, recorded, n, m + 1)
                reacting = _reacting(stack, pending, event, reactions, process_managers)
                return _react(run, stack, left, reacting, tuple(delivered))
        at_manager = 0
    upto = tuple(delivered)
    if upto != stack.delivered_upto:
        stack = changed(stack, delivered_upto=upto)
    index = run.length + 1
    return Completed(index, pending), Run(stack, run.agenda, None, index)


def _hand_on_once(
    run: Run, pending: Pending, recorded: tuple[RecordedEvent, ...], at_event: int, at_manager: int
) -> tuple[Step, Run]:
    """The same over a store that keeps marks: each event is handed on once, whoever does it."""
    stack, agenda, length = run.stack, run.agenda, run.length
    types = stack.process_manager_types
    failed = {failure.process_manager for failure in agenda.failed}
    for n in range(at_event, len(recorded)):
        position = recorded[n].position
        for m in range(at_manager, len(types)):
            if stack.delivered_upto[m] >= position or stored_name(types[m]) in failed:
                continue
            there = Handling(pending, recorded, n, m)
            try:
                after = _hand_to(Run(stack, agenda, there, length), there)
            except (ModelError, SerializationError) as error:
                if not outbox.sets_aside(stack.event_store):
                    raise
                failure = Failure(None, error, stored_name(types[m]), position)
                return _set_aside(Run(stack, agenda, there, length), pending, failure)
            if isinstance(after, tuple):
                return after
            stack = after
        at_manager = 0
    index = length + 1
    return Completed(index, pending), Run(stack, agenda, None, index)


def _hand_to(run: Run, there: Handling) -> tuple[Step, Run] | Stack:
    """Hand an event to a process manager type: the step that this gives, or the stack where it gives none."""
    pending, recorded, n, m = there
    stack, event = run.stack, recorded[n]
    manager, position, delivered = stack.process_manager_types[m], event.position, stack.delivered_upto
    interests = ask.interested(manager, event.event, event)
    is_next = delivered[m] == position - 1
    if not interests:  # the append moved the mark, unless the type is behind for other reasons
        return changed(stack, delivered_upto=moved(delivered, m, position)) if is_next else stack
    first = identify(manager, interests[0].id)
    if not is_next:
        return _catch_up(run, there, first, position - 1)
    reactions, process_managers = outbox.handled(stack.process_managers, event, manager)
    reacting = _reacting(stack, pending, event, reactions, process_managers)
    upto = _last_before_the_next(manager, recorded, n)
    store = outbox.hand_on(
        stack.event_store,
        (stored_name(manager), position - 1, upto),
        _deliveries(stack, reacting),
        _sent(reacting),
        [off for each in reacting.reactions for off in each.changes.taken_off],
        outbox.last_rejection(stack, manager),
    )
    if store is None:  # another process was first
        return _catch_up(run, there, first, position)
    is_last = m + 1 == len(stack.process_manager_types) and n + 1 == len(recorded)
    left = None if is_last else there._replace(manager=m + 1)
    return _react(run, changed(stack, event_store=store), left, reacting, moved(delivered, m, upto))


def _deliveries(stack: Stack, reacting: Reacting) -> list[outbox.Delivery]:
    """What is noted of an event's way to the instances that it concerns: one for each that took it in."""
    versions, position = stack.process_manager_versions, reacting.trigger.position
    taken_in = [(r.identity.stream_id, r.verb) for r in reacting.reactions if r.verb.changes]
    return [
        outbox.Delivery(stream_id, position, verb.value, versions.get(stream_id, 0) + 1)
        for stream_id, verb in taken_in
    ]


def _sent(reacting: Reacting) -> list[Pending]:
    return [pending for each in reacting.reactions for pending in (*each.caused, *each.changes.set)]


def _last_before_the_next(manager: type, recorded: tuple[RecordedEvent, ...], n: int) -> int:
    """The position of the last event of a command before the next that is of interest to the type."""
    upto = recorded[n].position
    for later in recorded[n + 1 :]:
        if outbox.interests(manager, later):
            break
        upto = later.position
    return upto


def _catch_up(run: Run, there: Handling, identity: Identity, position: int) -> tuple[Step, Run] | Stack:
    """Catch a type up with what its store knows: the step, or the stack where nothing was taken in."""
    caught_up = outbox.catch_up(run.stack, there.manager, position)
    stack, count, sent, changes, failure, rejections = caught_up
    deadlines, agenda, off, _ = change(stack.deadlines, run.agenda, changes)
    stack, agenda = changed(stack, deadlines=deadlines), agenda.cause(sent)
    if failure is not None:
        return _set_aside(structs.replace(run, stack=stack, agenda=agenda), there.pending, failure)
    if not count and not rejections and not sent and changes is NO_CHANGES:
        if stack.delivered_upto[there.manager] >= there.recorded[there.event].position:
            return stack
        return _hand_to(structs.replace(run, stack=stack), there)
    index = run.length + 1
    step = CaughtUp(index, there.pending, identity, count, position, sent, changes.set, off, rejections)
    return step, Run(stack, agenda, there, index)


def _set_aside(run: Run, pending: Pending, failure: Failure) -> tuple[Step, Run]:
    """Note that a process manager failed at an event; the others are handed the event."""
    index, there = run.length + 1, run.progress
    return Failed(index, pending, failure), Run(run.stack, run.agenda.fail(failure), there, index)


def compensate(run: Run, decision: Refused) -> tuple[Step, Run]:
    """Ask the sender of a rejected command; its answer is caused by the event that the command answered."""
    pending, rejected = decision.pending, decision.rejected
    sender = pending.sender
    if sender is None:
        return complete(run, decision)
    instance = run.stack.process_managers.get(sender.stream_id)
    if instance is None and isinstance(sender.type, PolicyType):
        instance = ask.new(sender.type, sender.id)  # it keeps nothing
    if instance is None and outbox.settles(run.stack, pending):  # another process may have begun it
        step, run = _catch_up_sender(run, decision, sender)
        if step is not None:
            return step, run
    kind: type = type(instance)
    takes = instance is not None and ask.takes_rejections(kind)
    answered = instance is not None and hasattr(instance, "handle_rejection")
    if not takes and not answered:
        lack = "is no longer there" if instance is None else "has no handle_rejection(rejected)"
        _log.warning(
            "%s was rejected (%s), and %s %s to answer the rejection",
            pending.command_type,
            rejected,
            sender,
            lack,
        )
    if instance is not None and not takes and not answered:
        return complete(run, decision)
    return _answer_rejection(run, decision, sender, instance)


def _answer_rejection(run: Run, decision: Refused, sender: Identity, instance: Any) -> tuple[Step, Run]:
    """Let the sender take in the rejection, where its class says so, and answer it."""
    pending, rejected, stack, index = decision.pending, decision.rejected, run.stack, run.length + 1
    kept, after = None, instance
    kind: type = type(instance)
    if ask.takes_rejections(kind) and sender.type in stack.process_manager_types:
        kept = outbox.kept_rejection(stack, pending, sender, rejected)
        after = ask.apply(instance, kept.rejected, kept.cause)
    answered = hasattr(after, "handle_rejection")
    given = ask.handle_rejection(after, rejected, pending.cause) if answered else ()
    now, clock = read(stack.clock) if has_later(given) else (_NEVER, stack.clock)
    commands, changes = answers(pending, pending.command_id, pending.cause, sender, given, now)
    settled: Stack | None
    try:
        if kept is None:
            settled = outbox.settled(stack, pending, outbox.rejection(rejected), commands, changes)
        else:
            settled = outbox.settled_and_kept(stack, pending, commands, changes, kept)
    except AlreadySettled as before:
        return settled_before(run, pending, before.outcome)
    if settled is None:  # another process was first
        step, run = _catch_up_sender(run, decision, sender)
        if step is not None:
            return step, run
        if kept is not None:
            outbox.check_another(run.stack, kept)
        return compensate(run, decision)
    if instance is None:
        ignored = Ignored(index, pending, sender, rejected, None, None)
        return ignored, Run(settled, run.agenda, ignored, index)
    stack = settled if kept is None else _with_rejection(settled, sender, kept, after)
    deadlines, agenda, off, not_there = change(stack.deadlines, run.agenda, changes)
    if changes is not NO_CHANGES:
        stack = changed(stack, deadlines=deadlines, clock=clock)
    step = Continued(index, pending, sender, rejected, instance, after, commands, changes.set, off, not_there)
    return step, Run(stack, agenda.cause(commands), step, index)


def _with_rejection(stack: Stack, sender: Identity, kept: KeptRejection, after: Any) -> Stack:
    """The stack whose instance has taken in a rejection."""
    managers: Any = stack.process_managers
    in_memory = isinstance(managers, InMemoryProcessManagerStore)
    managers = managers.put(sender, after) if in_memory else managers.take_rejection(sender, kept)
    return changed(stack, process_managers=managers)


def _catch_up_sender(run: Run, decision: Refused, sender: Identity) -> tuple[Step | None, Run]:
    """Let instances take in what others handed on, before the sender of a rejected command is asked again.

    There is no step where they took in nothing.
    """
    if sender.type not in run.stack.process_manager_types:
        return None, run
    index = run.stack.process_manager_types.index(sender.type)
    caught_up = outbox.catch_up(run.stack, index, 0)
    stack, count, rejections = caught_up.stack, caught_up.taken, caught_up.rejections
    if not count and not rejections:
        return None, structs.replace(run, stack=stack)
    upto = stack.delivered_upto[index]
    step = CaughtUp(run.length + 1, decision.pending, sender, count, upto, rejections=rejections)
    return step, Run(stack, run.agenda, decision, step.index)


def complete(run: Run, progress: Executed | Refused | Injected | AtProcessManager) -> tuple[Step, Run]:
    """Complete the command: after that step nothing is left to do for it."""
    stack, pending, index = run.stack, progress.pending, run.length + 1
    if isinstance(progress, (Executed, Refused)):
        rejected = progress.rejected
        outcome = outbox.WITHOUT_EVENTS if rejected is None else outbox.rejection(rejected)
        try:
            stack = outbox.settled(stack, pending, outcome)
        except AlreadySettled as settled:
            return settled_before(run, pending, settled.outcome)
    return Completed(index, pending), Run(stack, run.agenda, None, index)


def _caught_up(
    run: Run, stack: Stack, progress: Handling, identity: Identity, count: int
) -> tuple[Step, Run]:
    index, position = run.length + 1, progress.recorded[progress.event].position - 1
    step = CaughtUp(index, progress.pending, identity, count, position)
    return step, Run(stack, run.agenda, progress, index)


def _reacting(
    stack: Stack, pending: Pending, event: RecordedEvent, reactions: Iterable[Any], process_managers: Any
) -> Reacting:
    """What the instances of a type made of an event: each is a step, in order."""
    found = []
    origin = pending.command_id if type(pending.command) is Redeliver else event.event_id
    for reaction in reactions:
        identity = identify(reaction.manager, reaction.id)
        before, after = (
            stack.process_managers.get(identity.stream_id),
            process_managers.get(identity.stream_id),
        )
        verb = reaction.verb if type(reaction.verb) is Verb else Verb(reaction.verb)
        changes = NO_CHANGES if verb is not Verb.STOPPED else all_taken_off(identity)
        commands: tuple[Pending, ...] = ()
        if reaction.commands:
            commands, changes = answers(
                pending, origin, event, identity, reaction.commands, event.recorded_at
            )
        found.append(InstanceReaction(identity, verb, before, after, commands, changes))
    return Reacting(pending, event, tuple(found), process_managers, None)


def react(run: Run, progress: Reacting) -> tuple[Step, Run]:
    """The step of the next instance that the event concerns."""
    return _react(run, run.stack, progress.left, progress, run.stack.delivered_upto)


def _react(
    run: Run, stack: Stack, left: Handling | None, reacting: Reacting, delivered: tuple[int, ...]
) -> tuple[Step, Run]:
    """The step of a reaction; ``left`` is what is to be delivered on after all of them, where anything is."""
    (reacted, *others), process_managers = reacting.reactions, reacting.process_managers
    identity, verb, before, after = reacted.identity, reacted.verb, reacted.before, reacted.after
    commands, changes = reacted.caused, reacted.changes
    if others and stack.process_managers.__class__ is InMemoryProcessManagerStore:
        process_managers = stack.process_managers.put(identity, after)
    versions, agenda = stack.process_manager_versions, run.agenda
    if verb.changes:
        versions = versions.increment_version(identity, 1)
    if verb is Verb.STOPPED and stack.rejections:
        stack = changed(stack, rejections=stack.rejections.discard(identity.stream_id))
    stack = changed(
        stack,
        process_managers=process_managers,
        process_manager_versions=versions,
        delivered_upto=delivered,
    )
    index, trigger = run.length + 1, reacting.trigger
    if changes is NO_CHANGES:
        step = _KINDS[verb](index, reacting.pending, identity, trigger, before, after, commands)
    else:
        deadlines, agenda, off, not_there = change(stack.deadlines, agenda, changes)
        if deadlines is not stack.deadlines:
            stack = changed(stack, deadlines=deadlines)
        known = (commands, changes.set, off, not_there)
        step = _KINDS[verb](index, reacting.pending, identity, trigger, before, after, *known)
    if commands:
        agenda = agenda.cause(commands)
    next_ = structs.replace(reacting, reactions=tuple(others), left=left) if others else left or step
    return step, Run(stack, agenda, next_, index)


def catch_up(stack: Stack, index: int, position: int) -> tuple[Stack, int]:
    """Hand a process manager type the events that it missed, up to that position: the stack, how many events.

    Each event is read once for each type, so a long history costs time once. Instances change as they would
    have; the commands that they answer are dropped, because they were sent when the events happened.
    """
    manager, mark = stack.process_manager_types[index], stack.delivered_upto[index]
    managers, versions = stack.process_managers, stack.process_manager_versions
    met = _met(stack, manager, mark, position)
    deadlines, rejections = stack.deadlines, stack.rejections
    # A type that is new here may have instances from elsewhere, which have seen the first of their events.
    seen = _seen(manager, versions, met) if mark == 0 else {}
    count = 0
    for recorded, interests in met:
        new = [each for each in interests if not _was_seen(seen, identify(manager, each.id).stream_id)]
        if len(new) == len(interests):
            reactions, managers = outbox.handled(managers, recorded, manager)
            verbs = [(identify(manager, each.id), Verb(each.verb)) for each in reactions]
        else:  # some of the instances that it concerns have seen it
            verbs = []
            for each in new:
                identity = identify(manager, each.id)
                verb = verb_of(each, is_running=managers.get(identity.stream_id) is not None)
                managers = managers if not verb.changes else managers.take_in(identity, recorded, verb)
                verbs.append((identity, verb))
        for identity, verb in verbs:
            if verb.changes:
                versions, count = versions.increment_version(identity, 1), count + 1
            if verb is Verb.STOPPED:
                _, _, deadlines = deadlines.without(identity.stream_id)
                rejections = rejections.discard(identity.stream_id)
    delivered = moved(stack.delivered_upto, index, position)
    caught_up = changed(
        stack,
        process_managers=managers,
        process_manager_versions=versions,
        delivered_upto=delivered,
        deadlines=deadlines,
        rejections=rejections,
    )
    return caught_up, count


def _met(stack: Stack, manager: type, mark: int, position: int) -> list[Met]:
    """The events behind a mark and up to a position that are of interest to a type."""
    history = stack.event_store.stream(ALL, start_version=mark + 1)
    upto = takewhile(lambda r: r.position <= position, history)
    met = [(recorded, ask.interested(manager, recorded.event, recorded)) for recorded in upto]
    return [(recorded, interests) for recorded, interests in met if interests]


def _was_seen(seen: dict[str, int], stream_id: str) -> bool:
    """Whether an instance has seen the next event that concerns it; that one is counted off."""
    left = seen.get(stream_id, 0)
    if left:
        seen[stream_id] = left - 1
    return left > 0


def _seen(manager: type, versions: Any, met: Iterable[Met]) -> dict[str, int]:
    """How many of the events that concern each instance it has seen, by stream id: its version."""
    concerned: dict[str, list[Interest]] = {}
    for _, interests in met:
        for interest in interests:
            concerned.setdefault(identify(manager, interest.id).stream_id, []).append(interest)
    return {
        stream_id: _covered(versions.get(stream_id, 0), interests)
        for stream_id, interests in concerned.items()
    }


def _covered(version: int, interests: list[Interest]) -> int:
    """How many of these an instance at that version has behind it; those that were ignored did not count."""
    if not any(isinstance(interest, Start) for interest in interests):
        return version  # it was started elsewhere
    n, running = 0, False
    while version and n < len(interests):
        interest = interests[n]
        verb = verb_of(interest, is_running=running)
        if verb.changes:
            version, running = version - 1, verb is not Verb.STOPPED
        n += 1
    return n
