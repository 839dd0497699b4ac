"""What an actor that holds aggregates does: one of them, or all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calamity_lab.errors import CalamityError
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.stores import InMemoryAggregateStore
from calamity_lab.stores.actors.answers import Behind, CaughtUp, Decided, News, Read


class HeldAggregates:
    """Aggregates as their streams tell them: nothing else ever gets in, so that nothing need be taken back.

    A command is decided and its outcome told, but taken in only when the events are recorded: then they come
    as the news of a later call. Every caller says which version it knows to be recorded; where that is still
    newer than what is here, the answer is `Behind`.
    """

    def __init__(self) -> None:
        self._aggregates = InMemoryAggregateStore()
        self._versions: dict[str, int] = {}

    def read(self, identity: Identity, known: int, news: News) -> Read | Behind | CaughtUp:
        """The aggregate's state and version."""
        caught_up = self.catch_up(identity, *news)
        if caught_up.error is not None:
            return caught_up
        version = caught_up.upto
        return Behind(version) if version < known else Read(self._aggregates.get(identity.stream_id), version)

    def decide(self, identity: Identity, command: Any, known: int, news: News) -> Decided | Behind | CaughtUp:
        """What the command leads to; nothing of it is taken in."""
        there = self.read(identity, known, news)
        if not isinstance(there, Read):
            return there
        try:
            events, after = self._aggregates.dispatch(command)
        except CalamityError as error:
            return Decided((), there.state, there.upto, error)
        return Decided(events, after.get(identity.stream_id) if events else there.state, there.upto)

    def catch_up(self, identity: Identity, after: int, events: Sequence[Any]) -> CaughtUp:
        """Take in recorded events, the first of which stands after that version; those seen are no news.

        Where events before them are missing nothing changes, and the answer tells up to where all is known.
        """
        stream_id = identity.stream_id
        version = self._versions.get(stream_id, 0)
        unseen = events[version - after :] if version >= after else ()
        if unseen:
            try:
                self._aggregates = self._aggregates.apply(identity, unseen)
            except CalamityError as error:
                return CaughtUp(version, error)
            version = self._versions[stream_id] = after + len(events)
        return CaughtUp(version)

    def put(self, identity: Identity, state: Any, version: int) -> None:
        """Begin with a state that was given, and not told by events."""
        self._aggregates = self._aggregates.insert(identity.stream_id, state)
        self._versions[identity.stream_id] = version

    def forget(self, identity: Identity) -> None:
        """Begin again from nothing: who asks next finds it behind, and its stream is read."""
        self._aggregates = self._aggregates.forget(identity)
        self._versions.pop(identity.stream_id, None)
