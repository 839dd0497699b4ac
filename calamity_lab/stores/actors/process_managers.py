"""Process manager instances in actors: what an actor does with them, what callers share, and the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Lock, local
from typing import Any, NamedTuple

from calamity_lab.errors import CalamityError, StoreUnavailable
from calamity_lab.kernel import ask
from calamity_lab.kernel.constants import ALL
from calamity_lab.kernel.folding import Verb
from calamity_lab.kernel.identity import Identity, identify, stream_id_of
from calamity_lab.kernel.messages import Interest, Start
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.stores import InMemoryProcessManagerStore, Reaction
from calamity_lab.stores.actors.protocol import PAUSES, Behind, CaughtUp, Latest, Reacted, Read, References

# So many answers are kept. Whoever hands an event on that it recorded so long ago finds its instances silent.
KEPT = 10_000


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
        interest = ask.interested(manager, recorded.event)
        if interest is not None:
            yield identify(manager, interest.id).stream_id


def reaction(manager: type, interest: Interest, answer: Reacted) -> Reaction:
    """The answer of an instance as the kernel asks for it."""
    return Reaction(manager, interest.id, Verb(answer.verb), answer.commands)


class _Told(NamedTuple):
    """What this thread was told last: before it by one store, and after it by the next."""

    stream_id: str
    position: int
    before: tuple[ActorProcessManagerStore | None, Any]
    after: tuple[ActorProcessManagerStore, Any]


class _Lately(local):
    told: _Told | None = None


class ActorProcessManagerStore(Mapping[str, Any]):
    """Process manager instances in actors. Any number of stacks and threads may share them."""

    __slots__ = ("_lately", "_shared")

    def __init__(self, shared: Instances, lately: _Lately | None = None) -> None:
        self._shared = shared
        self._lately = lately or _Lately()

    @property
    def shared(self) -> Instances:
        """What all stores over the same actors share."""
        return self._shared

    def handle_event(
        self, recorded_event: RecordedEvent, process_manager_types: Iterable[type]
    ) -> tuple[tuple[Reaction, ...], ActorProcessManagerStore]:
        """The reactions of the types that are interested, in order, and the store after them."""
        reactions, store = [], self
        for manager in process_manager_types:
            interest = ask.interested(manager, recorded_event.event)
            if interest is not None:
                answer = self._shared.hand(manager, interest, recorded_event)
                stream_id = identify(manager, interest.id).stream_id
                store = store._told(stream_id, recorded_event.position, answer)
                reactions.append(reaction(manager, interest, answer))
        return tuple(reactions), store

    def get(self, key: Any, default: Any = None) -> Any:
        """The instance with that stream id or `Identity`, or the default."""
        stream_id = stream_id_of(key)
        known, state = self._just_told(stream_id)
        if not known:
            state = self._shared.read(stream_id)
        return default if state is None else state

    def __getitem__(self, key: Any) -> Any:
        state = self.get(key)
        if state is None:
            raise KeyError(key)
        return state

    def __iter__(self) -> Iterator[str]:
        return iter(self._shared)

    def __len__(self) -> int:
        return len(self._shared)

    def __hash__(self) -> int:
        return hash(id(self._shared))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self):,} instances)"

    def _told(self, stream_id: str, position: int, answer: Reacted) -> ActorProcessManagerStore:
        after = ActorProcessManagerStore(self._shared, self._lately)
        self._lately.told = _Told(stream_id, position, (self, answer.before), (after, answer.after))
        return after

    def _just_told(self, stream_id: str) -> tuple[bool, Any]:
        """Whether this very store has just told that instance's state, and the state: for the step to show.

        An actor knows only how its instance is now; what it was before is what it answered.
        """
        told = self._lately.told
        if told is None or told.stream_id != stream_id:
            return False, None
        store, state = told.before
        if store is self:
            self._lately.told = told._replace(
                before=(None, None)
            )  # that was for the step; now it has changed
            return True, state
        store, state = told.after
        living = self._shared.living(stream_id)
        return store is self and (living is None or living.last == told.position), state


class ActorInstanceVersions(Mapping[str, int]):
    """The versions of process manager instances in actors, counted where events are taken in."""

    __slots__ = ("_shared",)

    def __init__(self, shared: Instances) -> None:
        self._shared = shared

    def increment_version(self, identity: Identity, count: int) -> ActorInstanceVersions:
        """The same store: it has counted already, once, however many handed the event on."""
        return self

    def get(self, key: Any, default: Any = None) -> Any:
        """The version of that stream id or `Identity`, or the default."""
        return self._shared.versions.get(stream_id_of(key), default)

    def __getitem__(self, key: Any) -> int:
        return self._shared.versions[stream_id_of(key)]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._shared.versions))

    def __len__(self) -> int:
        return len(self._shared.versions)

    def __hash__(self) -> int:
        return hash(id(self._shared))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self):,} versions)"
