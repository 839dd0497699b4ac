"""The commands that process managers sent and nobody carried out, found in a history as it goes by."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from calamity_lab.errors import Rejected
from calamity_lab.kernel import callbacks
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.metadata import of_recorded
from calamity_lab.kernel.reacting import caused_by_event, caused_by_refusal
from calamity_lab.kernel.rebuilding import Instances
from calamity_lab.kernel.recorded import RecordedEvent


class Owed:
    """The agendas of all cascades, one for each correlation id: each goes depth first, one command at a time.

    So what stands on an agenda before a command that has events was done before it, though it may have left
    none: it was refused, or decided that nothing happens. The model is pure, and can be asked again.
    """

    def __init__(self, event_store: Any, instances: Instances) -> None:
        self._event_store = event_store
        self._instances = instances
        self._in_progress: dict[str, Pending] = {}
        self._caused: dict[str, list[Pending]] = {}
        self._waiting: dict[str, list[Pending]] = {}
        self._upto: dict[str, int] = {}

    def turn(self, recorded: RecordedEvent) -> None:
        """Before the event changes anything: where it is the first of its command, that leaves the agenda."""
        cascade = recorded.correlation_id
        pending = self._in_progress.get(cascade)
        if pending is None or pending.command_id != recorded.causation_id:
            waiting = [*self._caused.pop(cascade, ()), *self._waiting.pop(cascade, ())]
            pending, waiting = self._carried_out(recorded, waiting)
            self._in_progress[cascade] = pending
            if waiting:
                self._waiting[cascade] = waiting
        self._upto[cascade] = recorded.position

    def send(self, recorded: RecordedEvent, sender: Identity, commands: tuple[Any, ...]) -> None:
        """After the event: an instance answers it with commands, which go on the cascade's agenda."""
        pending = self._in_progress[recorded.correlation_id]
        sent = caused_by_event(pending, recorded, sender, commands)
        if pending.command is None:  # what was submitted is not recorded: there is none to be called a parent
            sent = tuple([child._replace(parent=None) for child in sent])
        self._caused.setdefault(recorded.correlation_id, []).extend(sent)

    def commands(self) -> Iterator[Pending]:
        """What is owed at the end of the history: the cascade that got furthest behind comes first."""
        for cascade in sorted({*self._caused, *self._waiting}, key=self._upto.__getitem__):
            waiting = [*self._caused.get(cascade, ()), *self._waiting.get(cascade, ())]
            # What comes after an owed command cannot be asked what it came to, as it depends on that one.
            while waiting and self._outcome(waiting[0], self._upto[cascade]) == ():
                del waiting[0]
            yield from waiting

    def _carried_out(self, recorded: RecordedEvent, waiting: list[Pending]) -> tuple[Pending, list[Pending]]:
        """The command that an event is of, and those that still wait, also for the user had another order."""
        passed: list[Pending] = []
        while waiting:
            pending = waiting.pop(0)
            if pending.command_id == recorded.causation_id:
                return pending, [*passed, *waiting]
            outcome = self._outcome(pending, recorded.position - 1)
            if outcome is None:
                passed.append(pending)
            else:
                waiting[:0] = outcome
        for place, pending in enumerate(passed):
            answers = self._answers_with(pending, recorded)
            if answers:
                return self._carried_out(recorded, [*passed[:place], *answers, *passed[place + 1 :]])
        return _submitted(recorded), passed

    def _answers_with(self, pending: Pending, recorded: RecordedEvent) -> tuple[Pending, ...]:
        """What a command was answered with that was refused, the event's command among it.

        Others may have written to its aggregate since, so that it would no longer be refused: it is asked
        again at each state that it may have met.
        """
        since = 0 if pending.cause is None else pending.cause.position
        for outcome in self._outcomes(pending, since, recorded.position - 1):
            if outcome and any(answer.command_id == recorded.causation_id for answer in outcome):
                return outcome
        return ()

    def _outcome(self, pending: Pending, upto: int) -> tuple[Pending, ...] | None:
        """What a command without events had led to: further commands or none; None where it has events."""
        (outcome,) = self._outcomes(pending, upto, upto)
        return outcome

    def _outcomes(self, pending: Pending, since: int, upto: int) -> Iterator[tuple[Pending, ...] | None]:
        """What a command came to at each state of its aggregate from one position to another, in order."""
        identity = callbacks.target(pending.command)
        state = callbacks.new(identity.type, identity.id)
        history = self._event_store.stream(identity.stream_id)
        for recorded in takewhile(lambda r: r.position <= upto, history):
            if recorded.position > since:
                yield self._decided(state, pending)
            state = callbacks.fold(state, (recorded.event,))
        yield self._decided(state, pending)

    def _decided(self, state: Any, pending: Pending) -> tuple[Pending, ...] | None:
        try:
            return None if callbacks.execute(state, pending.command) else ()
        except Rejected as rejected:
            return self._answer(pending, rejected)

    def _answer(self, pending: Pending, rejected: Rejected) -> tuple[Pending, ...]:
        sender = pending.sender
        instance = None if sender is None else self._instances.states.get(sender.stream_id)
        if sender is None or not hasattr(instance, "handle_rejection"):
            return ()
        return caused_by_refusal(pending, sender, callbacks.handle_rejection(instance, rejected))


def _submitted(recorded: RecordedEvent) -> Pending:
    """What can be known of a submitted command from one of its events; the command itself is not recorded."""
    command_id = recorded.causation_id or recorded.event_id
    return Pending(None, command_id, recorded.correlation_id, metadata=of_recorded(recorded.metadata))
