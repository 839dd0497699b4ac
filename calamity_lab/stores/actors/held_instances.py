"""What an actor that holds process manager instances does: one of them, or all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from calamity_lab.errors import CalamityError
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.stores import InMemoryProcessManagerStore, Verb
from calamity_lab.stores.actors.answers import Behind, CaughtUp, Reacted, Read


class _Place(NamedTuple):
    """How far an instance has come: the last position that it saw, and what it answered there."""

    position: int
    answer: Reacted | None = None


_NOWHERE = _Place(0)


class HeldInstances:
    """Process manager instances. Each takes an event in once, however often it is handed on.

    Every caller says up to which position it knows the instance to have come; where that is further than
    here, the answer is `Behind`.
    """

    def __init__(self) -> None:
        self._instances = InMemoryProcessManagerStore()
        self._places: dict[str, _Place] = {}

    def read(self, identity: Identity, known: int) -> Read | Behind:
        """The instance's state, and the last position that it saw."""
        position = self._places.get(identity.stream_id, _NOWHERE).position
        return (
            Behind(position) if position < known else Read(self._instances.get(identity.stream_id), position)
        )

    def react(self, identity: Identity, recorded: RecordedEvent, known: int) -> Reacted | Behind:
        """What the instance makes of the event; the last event, handed again, is answered as before."""
        stream_id = identity.stream_id
        place = self._places.get(stream_id, _NOWHERE)
        if place.position < known:
            return Behind(place.position)
        if recorded.position <= place.position:
            same = place.answer if recorded.position == place.position else None
            return same or Reacted(Verb.IGNORED, (), None, None)
        if not known and place.position:
            # Its life is over for all who know of it: it was begun again by one who came late to its start.
            self._instances = self._instances.discard(stream_id)
        before = self._instances.get(stream_id)
        try:
            reactions, self._instances = self._instances.handle_event(recorded, (identity.type,))
        except CalamityError as error:
            return Reacted(Verb.IGNORED, (), before, before, error)
        verb, commands = (reactions[0].verb, reactions[0].commands) if reactions else (Verb.IGNORED, ())
        answer = Reacted(verb, commands, before, self._instances.get(stream_id))
        self._keep(stream_id, _Place(recorded.position, answer))
        return answer

    def restore(self, identity: Identity, history: Sequence[RecordedEvent], upto: int) -> CaughtUp:
        """Begin again with the events that the instance had seen up to a position, all that concern it.

        One that has come further meanwhile stays as it is.
        """
        stream_id = identity.stream_id
        if self._places.get(stream_id, _NOWHERE).position >= upto:
            return CaughtUp(upto)
        instances = InMemoryProcessManagerStore()
        try:
            for recorded in history:
                _, instances = instances.handle_event(recorded, (identity.type,))
        except CalamityError as error:
            return CaughtUp(0, error)
        return self.put(identity, instances.get(stream_id), upto)

    def put(self, identity: Identity, state: Any, position: int) -> CaughtUp:
        """Begin with a state as of a position; None for an instance that is not there."""
        stream_id = identity.stream_id
        self._instances = (
            self._instances.discard(stream_id) if state is None else self._instances.insert(stream_id, state)
        )
        self._places[stream_id] = _Place(position)
        return CaughtUp(position)

    def _keep(self, stream_id: str, place: _Place) -> None:
        """Remember how far an instance has come, as long as there is one."""
        if self._instances.get(stream_id) is None:
            self._places.pop(stream_id, None)
        else:
            self._places[stream_id] = place
