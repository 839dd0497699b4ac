"""Process manager instances in actors: what all who hand events to them share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from threading import Lock
from typing import Any, NamedTuple

from calamity_lab.errors import StoreUnavailable
from calamity_lab.kernel import callbacks
from calamity_lab.kernel.constants import ALL
from calamity_lab.kernel.identity import Identity, identify
from calamity_lab.kernel.messages import Interest, Start
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.stores import Reaction, Verb
from calamity_lab.stores.actors.answers import Behind, CaughtUp, Reacted, Read
from calamity_lab.stores.actors.latest import Latest
from calamity_lab.stores.actors.references import PAUSES, References

# So many answers are kept. Whoever hands an event on that it recorded so long ago finds its instances silent.
KEPT = 10_000


class Living(NamedTuple):
    """An instance that there is: where it began, how far it has come, and the actor that held it then."""

    identity: Identity
    first: int
    last: int
    reference: Any


class Instances:
    """Process manager instances in actors, each of which takes an event in once, whoever hands it on.

    Several callers may hand on the same event: one recorded it, others catch up. Whoever comes first has the
    instance take it in; all of them are given the same answer.
    """

    def __init__(
        self,
        references: References,
        event_store: Any,
        versions: Mapping[str, int],
        handed: Mapping[str, int],
    ) -> None:
        self.references = references
        self.versions = dict(versions)
        self._event_store = event_store
        self._handed = dict(handed)  # by type's name: up to where all that is of interest was handed on
        self._living: dict[str, Living] = {}
        self._answers: Latest[Reacted] = Latest(KEPT)
        self._lock = Lock()

    def living(self, stream_id: str) -> Living | None:
        """The instance, where there is one."""
        return self._living.get(stream_id)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._living))

    def __len__(self) -> int:
        return len(self._living)

    def read(self, stream_id: str) -> Any:
        """The instance's state; None where there is none."""
        living = self._living.get(stream_id)
        if living is None:
            return None
        answer: Read = self._ask(living.identity, "read")
        return answer.state

    def hand(self, manager: type, interest: Interest, recorded: RecordedEvent) -> Reacted:
        """What the instance makes of an event that is of interest to it."""
        identity = identify(manager, interest.id)
        answer = self._answers.get((identity.category, recorded.position))
        if answer is not None:
            return answer
        if recorded.position <= self._seen(identity) or not self._has_a_say(identity, interest):
            return Reacted(Verb.IGNORED, (), None, None)
        answer = self._ask(identity, "react", recorded)
        if answer.error is not None:
            raise answer.error
        return self._note(identity, recorded.position, answer)

    def put(self, identity: Identity, state: Any, position: int) -> None:
        """Begin with a state as of a position that was given, and not told by events."""
        self.references.ask(identity.stream_id, "put", identity, state, position)
        reference = self.references.current(identity.stream_id)
        self._living[identity.stream_id] = Living(identity, 1, position, reference)

    def _seen(self, identity: Identity) -> int:
        """The last position of which it is known that the instance has seen what concerns it."""
        living = self._living.get(identity.stream_id)
        return max(self._handed.get(identity.category, 0), 0 if living is None else living.last)

    def _has_a_say(self, identity: Identity, interest: Interest) -> bool:
        return isinstance(interest, Start) or identity.stream_id in self._living

    def _note(self, identity: Identity, position: int, answer: Reacted) -> Reacted:
        """Keep what an instance answered, once, however many asked at the same time."""
        stream_id, key = identity.stream_id, (identity.category, position)
        with self._lock:
            noted = self._answers.get(key)
            if noted is None and answer.verb != Verb.IGNORED:
                self._answers.put(key, answer)
                self._take_note(identity, position, answer.after)
        if stream_id not in self._living:
            self.references.let_go(stream_id)
        return noted or answer

    def _take_note(self, identity: Identity, position: int, after: Any) -> None:
        """An instance has taken in the event at that position."""
        stream_id, category = identity.stream_id, identity.category
        self._handed[category] = max(self._handed.get(category, 0), position)
        self.versions[stream_id] = self.versions.get(stream_id, 0) + 1
        living = self._living.pop(stream_id, None)
        if after is not None:
            first = position if living is None else living.first
            self._living[stream_id] = Living(identity, first, position, self.references.current(stream_id))

    def _ask(self, identity: Identity, method: str, *given: Any) -> Any:
        """The actor's answer, once it is up to what is known."""
        stream_id = identity.stream_id
        for _ in PAUSES:
            living = self._living.get(stream_id)
            known = 0 if living is None else living.last
            answer = self.references.ask(stream_id, method, identity, *given, known)
            if not isinstance(answer, Behind):
                return answer
            self._restore(stream_id)
        raise StoreUnavailable(
            f"{stream_id} could not be asked to {method}: its actor died each time that it had been told "
            "its history; the same call may work later"
        )

    def _restore(self, stream_id: str) -> None:
        """Tell the actor of an instance its history, and those of all others that were lost with it."""
        lost = {
            name: living
            for name, living in list(self._living.items())
            if name == stream_id or self.references.is_lost(name, living.reference)
        }
        for name, history in self._histories(lost).items():
            living = lost[name]
            answer: CaughtUp = self.references.ask(name, "restore", living.identity, history, living.last)
            if answer.error is not None:
                raise answer.error
            with self._lock:
                if self._living.get(name) is living:
                    self._living[name] = living._replace(reference=self.references.current(name))
            if name not in self._living:  # it came to its end meanwhile
                self.references.let_go(name)

    def _histories(self, lost: Mapping[str, Living]) -> dict[str, list[RecordedEvent]]:
        """For each of the instances the events that it had seen; one look at the history does for all."""
        histories: dict[str, list[RecordedEvent]] = {name: [] for name in lost}
        upto = max((living.last for living in lost.values()), default=0)
        since = min((living.first for living in lost.values()), default=1)
        managers = {living.identity.type for living in lost.values()}
        for recorded in self._event_store.stream(ALL, start_version=since):
            if recorded.position > upto:
                break
            for name in _concerned(recorded, managers):
                living = lost.get(name)
                if living is not None and living.first <= recorded.position <= living.last:
                    histories[name].append(recorded)
        return histories


def _concerned(recorded: RecordedEvent, managers: Iterable[type]) -> Iterator[str]:
    for manager in managers:
        interest = callbacks.interested(manager, recorded.event)
        if interest is not None:
            yield identify(manager, interest.id).stream_id


def reaction(manager: type, interest: Interest, answer: Reacted) -> Reaction:
    """The answer of an instance as the kernel asks for it."""
    return Reaction(manager, interest.id, Verb(answer.verb), answer.commands)
