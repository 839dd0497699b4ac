"""Renewal: what a branch began with, and its inputs, made again in the classes of another model.

A command finds its class of now by module and name, or else by its stored name. States that were folded from
events are folded again, so that a mended ``apply`` counts from the first event on; all other values are made
again field by field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from calamity_lab.errors import CalamityError, InvalidFields, InvalidModel, InvalidValue
from calamity_lab.kernel import ask
from calamity_lab.kernel.agenda import Agenda, Pending
from calamity_lab.kernel.deadlines import waiting_and_due
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.folding import begun, fold, identity_in
from calamity_lab.kernel.frozen import remade
from calamity_lab.kernel.identity import Identity, stored_name
from calamity_lab.kernel.in_memory_stores import InMemoryAggregateStore, InMemoryProcessManagerStore
from calamity_lab.kernel.run import Run
from calamity_lab.kernel.schema import Renewal
from calamity_lab.kernel.stack import Stack
from calamity_lab.model import Model, Succession, earlier_target


class Renewed:
    """What an earlier model decided, for another model.

    ``value`` makes a value again in the classes of now, and `command` a command, `run` all that a branch
    began with. ``unplayed`` are sentences about what could not be made again and is left out.
    """

    def __init__(self, earlier: Model, model: Model) -> None:
        self._earlier, self._model = earlier, model
        self._succession = Succession(earlier, model)
        self.value = Renewal(lambda cls: self._succession.of(cls) or cls)
        self.unplayed: list[str] = []

    @property
    def changes_no_class(self) -> bool:
        """Whether the two models have the same classes."""
        return self._succession.changes_nothing

    def command(self, command: Any) -> Any:
        """The command in its class of now. Raises a `CalamityError` that says why there is none."""
        cls = type(command)
        if self._succession.of(cls) is None:
            name = stored_name(cls)
            raise InvalidModel(
                f"the model has no command {name} any more. If the class was renamed, write "
                f"stored_name = {name!r} in its body"
            )
        made = self.value(command)
        target = ask.target(made).type
        if self._succession.of(target) is not target:
            raise InvalidModel(earlier_target(type(made), target))
        return made

    def run(self, run: Run) -> Run:
        """The run with all that it holds in the classes of now."""
        if run.progress is not None:
            raise InvalidValue(
                f"This lab began while {run.progress.pending.command_type} was in progress, half decided by "
                "the earlier classes, so the lab cannot be replayed on others. Make a new lab with a run in "
                "which no command is in progress"
            )
        entries = [self._pending(each) for each in run.agenda.entries()]
        agenda = Agenda([each for each in entries if each is not None], run.agenda.failed)
        waiting = [self._pending(each) for each in run.stack.deadlines]
        deadlines = waiting_and_due([each for each in waiting if each is not None], agenda)
        stack = replace(self._stack(run.stack), deadlines=deadlines)
        return replace(run, stack=stack, agenda=agenda, faults=self.value(run.faults))

    def _stack(self, stack: Stack) -> Stack:
        store = stack.event_store
        if not (
            type(store) is InMemoryEventStore
            and type(stack.aggregates) is InMemoryAggregateStore
            and type(stack.process_managers) is InMemoryProcessManagerStore
        ):
            raise InvalidValue(
                f"This lab cannot be replayed on other classes, because {store!r} or another of its stores "
                "keeps what is recorded. Make a new lab over the store, or open the history with "
                "Lab.attach(store, model), which writes nothing and can be replayed"
            )
        try:
            events = self._events(store)
        except InvalidFields as error:
            raise _unfit("an event", error) from error
        return replace(
            stack,
            event_store=events,
            aggregates=InMemoryAggregateStore(
                {key: self._aggregate(key, state, stack, events) for key, state in stack.aggregates.items()}
            ),
            process_managers=InMemoryProcessManagerStore(
                {key: self._state(key, state) for key, state in stack.process_managers.items()}
            ),
            process_manager_types=self._process_managers(stack.process_manager_types),
        )

    def _events(self, store: InMemoryEventStore) -> InMemoryEventStore:
        log = [replace(each, event=self.value(each.event)) for each in store]
        events = InMemoryEventStore.of(log, clock=store.clock, ids=store.ids)
        return remade(events, _subscribers=store._subscribers)

    def _process_managers(self, types: Sequence[type]) -> tuple[type, ...]:
        """Those that the stack was given besides those of its model, and those of the model as it is now."""
        now = [cls for each in types if (cls := self._succession.of(each)) is not None]
        ours = self._model.process_managers
        added = [cls for cls, each in zip(now, types, strict=False) if each not in self._earlier]
        # In the order that the stack gave them, unless it is the one in which the model has them.
        kept = [] if tuple(types) == self._earlier.process_managers else [cls for cls in now if cls in ours]
        return tuple(dict.fromkeys([*added, *kept, *ours]))

    def _aggregate(self, stream_id: str, state: Any, stack: Stack, events: InMemoryEventStore) -> Any:
        """The state folded from its events again, if it has taken in all of them; else made field by field.

        The earlier class cannot be asked: the names in its code mean the classes of now.
        """
        cls = self._succession.of(type(state))
        version = stack.aggregate_versions.get(stream_id, 0)
        if cls is None or not version or stack.event_store.version(stream_id) != version:
            return self._state(stream_id, state)
        return fold(begun(identity_in(cls, stream_id)), events.stream(stream_id))

    def _state(self, stream_id: str, state: Any) -> Any:
        try:
            return self.value(state)
        except InvalidFields as error:
            raise _unfit(stream_id, error) from error

    def _pending(self, pending: Pending) -> Pending | None:
        """A command that was pending when the branch began; None, and a sentence, where it is gone."""
        made: Pending | None = None
        try:
            for each in list(pending.chain())[::-1]:
                cause, sender = each.cause, each.sender
                made = replace(
                    each,
                    command=self.command(each.command) if each is pending else self.value(each.command),
                    cause=None if cause is None else replace(cause, event=self.value(cause.event)),
                    sender=None if sender is None else self._identity(sender),
                    parent=made,
                )
        except CalamityError as error:
            self.unplayed.append(f"{pending.command_type}, which was pending at the beginning: {error}")
            return None
        return made

    def _identity(self, identity: Identity) -> Identity:
        cls = identity.type
        return Identity((self._succession.of(cls) or cls) if isinstance(cls, type) else cls, identity.id)


def _unfit(what: str, error: InvalidFields) -> InvalidModel:
    return InvalidModel(
        f"This lab began with {what} that does not fit its class as it is now. {error}. Give what is new in "
        "the class a default, or make a new lab"
    )
