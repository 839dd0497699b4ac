"""What an actor that holds aggregates does: one of them, or all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calamity_lab.errors import CalamityError
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.stores import InMemoryAggregateStore
from calamity_lab.stores.actors.answers import Behind, CaughtUp, Decided, Read


class HeldAggregates:
    """Aggregates as their streams tell them: nothing else ever gets in, so that nothing need be taken back.

    A command is decided and its outcome told, but taken in only when the events are known to be recorded:
    that is one more `catch_up`. Every caller says which version it knows to be recorded; where that is newer
    than what is here, the answer is `Behind`.
    """

    def __init__(self) -> None:
        self._aggregates = InMemoryAggregateStore()
        self._versions: dict[str, int] = {}

    def read(self, identity: Identity, known: int) -> Read | Behind:
        """The aggregate's state and version."""
        version = self._versions.get(identity.stream_id, 0)
        return Behind(version) if version < known else Read(self._aggregates.get(identity.stream_id), version)

    def decide(self, identity: Identity, command: Any, known: int) -> Decided | Behind:
        """What the command leads to; nothing changes."""
        version = self._versions.get(identity.stream_id, 0)
        if version < known:
            return Behind(version)
        before = self._aggregates.get(identity.stream_id)
        try:
            events, after = self._aggregates.dispatch(command)
        except CalamityError as error:
            return Decided((), before, before, version, error)
        return Decided(events, before, after.get(identity.stream_id), version)

    def catch_up(self, identity: Identity, after: int, events: Sequence[Any]) -> CaughtUp:
        """Take in recorded events, the first of which stands after that version; those seen are no news.

        Where events before them are missing nothing changes, and the answer tells up to where all is known.
        """
        stream_id = identity.stream_id
        version = self._versions.get(stream_id, 0)
        news = events[version - after :] if version >= after else ()
        if news:
            try:
                self._aggregates = self._aggregates.apply(identity, news)
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
