"""Process manager instances in actors: what an actor does with them, what callers share, and the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from threading import Lock, local
from typing import Any, NamedTuple

from calamity_lab.errors import CalamityError
from calamity_lab.kernel import ask
from calamity_lab.kernel.arguments import has
from calamity_lab.kernel.folding import Verb, verb_of
from calamity_lab.kernel.identity import Identity, identify, stream_id_of
from calamity_lab.kernel.in_memory_stores import InMemoryProcessManagerStore, Reaction
from calamity_lab.kernel.messages import Interest, Once, Start
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import KeptRejection, RecordedEvent
from calamity_lab.stores.actors.protocol import (
    PAUSES,
    Behind,
    CatchUpResult,
    OverActors,
    ReactResult,
    Read,
    RecentValues,
    References,
    gave_up,
)

# How many answers are kept. An event that is delivered so much later gets no reaction from its instances.
KEPT = 10_000


class _Progress(NamedTuple):
    """How far an instance has come: the last position that it saw, and its answer to that event.

    ``rejections`` counts the rejections that it has taken in.
    """

    position: int
    answer: ReactResult | None = None
    rejections: int = 0


_NOT_STARTED = _Progress(0)


class InstancesInActor:
    """The process manager instances that an actor holds. Each reacts to an event once.

    Every caller says up to which position it knows the instance to have come. Where the instance has not come
    so far, the answer is `Behind`.
    """

    def __init__(self) -> None:
        self._instances = InMemoryProcessManagerStore()
        self._progress: dict[str, _Progress] = {}

    def read(self, identity: Identity, known: int) -> Read | Behind:
        """The instance's state, and the last position that it saw."""
        position = self._progress.get(identity.stream_id, _NOT_STARTED).position
        return (
            Behind(position) if position < known else Read(self._instances.get(identity.stream_id), position)
        )

    def react(self, identity: Identity, recorded: RecordedEvent, known: int) -> ReactResult | Behind:
        """What the event does to the instance; the last event, when it comes again, gets the same answer."""
        stream_id = identity.stream_id
        progress = self._progress.get(stream_id, _NOT_STARTED)
        if progress.position < known:
            return Behind(progress.position)
        if recorded.position <= progress.position:
            same = progress.answer if recorded.position == progress.position else None
            return same or ReactResult(Verb.IGNORED, (), None, None)
        if not known and progress.position:
            # The instance has ended for all callers who know of it; one who came late started it again.
            self._instances = self._instances.discard(stream_id)
        before = self._instances.get(stream_id)
        verb, commands = Verb.IGNORED, ()
        try:
            for interest in _interests_of(identity, recorded):
                reaction, self._instances = self._instances.react(identity.type, interest, recorded)
                verb, commands = reaction.verb, reaction.commands
        except CalamityError as error:
            return ReactResult(Verb.IGNORED, (), before, before, error)
        answer = ReactResult(verb, commands, before, self._instances.get(stream_id))
        self._keep(stream_id, _Progress(recorded.position, answer, progress.rejections))
        return answer

    def take_in(
        self, identity: Identity, recorded: RecordedEvent, verb: Verb, known: int
    ) -> ReactResult | Behind:
        """Let the instance take in an event that was handed on before; it is asked nothing."""
        stream_id = identity.stream_id
        progress = self._progress.get(stream_id, _NOT_STARTED)
        if progress.position < known:
            return Behind(progress.position)
        before = self._instances.get(stream_id)
        if recorded.position > progress.position:
            try:
                self._instances = self._instances.take_in(identity, recorded, verb)
            except CalamityError as error:
                return ReactResult(Verb.IGNORED, (), before, before, error)
            self._keep(stream_id, _Progress(recorded.position, None, progress.rejections))
        return ReactResult(verb, (), before, self._instances.get(stream_id))

    def take_rejection(
        self, identity: Identity, kept: KeptRejection, count: int, known: int
    ) -> CatchUpResult | Behind:
        """Let the instance take in a rejection; ``count`` counts the rejections with this one."""
        progress = self._progress.get(identity.stream_id, _NOT_STARTED)
        if progress.position < known:
            return Behind(progress.position)
        if progress.rejections < count:
            try:
                self._instances = self._instances.take_rejection(identity, kept)
            except CalamityError as error:
                return CatchUpResult(0, error)
            self._progress[identity.stream_id] = _Progress(progress.position, None, count)
        return CatchUpResult(progress.position)

    def restore(
        self, identity: Identity, history: Sequence[RecordedEvent | KeptRejection], upto: int
    ) -> CatchUpResult:
        """Build the instance again from all events and rejections that concern it, up to a position.

        An instance that has come further meanwhile stays as it is.
        """
        stream_id = identity.stream_id
        if self._progress.get(stream_id, _NOT_STARTED).position >= upto:
            return CatchUpResult(upto)
        instances, rejections = InMemoryProcessManagerStore(), 0
        try:
            for recorded in history:
                if isinstance(recorded, KeptRejection):
                    instances, rejections = instances.take_rejection(identity, recorded), rejections + 1
                    continue
                for interest in _interests_of(identity, recorded):
                    verb = verb_of(interest, is_running=stream_id in instances)
                    instances = instances.take_in(identity, recorded, verb)
        except CalamityError as error:
            return CatchUpResult(0, error)
        return self.put(identity, instances.get(stream_id), upto, rejections)

    def put(self, identity: Identity, state: Any, position: int, rejections: int = 0) -> CatchUpResult:
        """Begin with a state at a position; None for an instance that does not exist."""
        stream_id = identity.stream_id
        self._instances = (
            self._instances.discard(stream_id) if state is None else self._instances.insert(stream_id, state)
        )
        self._progress[stream_id] = _Progress(position, None, rejections)
        return CatchUpResult(position)

    def _keep(self, stream_id: str, progress: _Progress) -> None:
        """Remember how far an instance has come, for as long as it exists."""
        if self._instances.get(stream_id) is None:
            self._progress.pop(stream_id, None)
        else:
            self._progress[stream_id] = progress


def _interests_of(identity: Identity, recorded: RecordedEvent) -> list[Interest]:
    """What an event means for one instance: one interest, or none."""
    manager, stream_id = identity.type, identity.stream_id
    found = ask.interested(manager, recorded.event, recorded)
    return [each for each in found if identify(manager, each.id).stream_id == stream_id]


class RunningInstance(NamedTuple):
    """An instance that exists: the positions of its first and last event, and the actor that held it then.

    ``rejections`` are those that it has taken in.
    """

    identity: Identity
    first: int
    last: int
    reference: Any
    rejections: tuple[KeptRejection, ...] = ()


class SharedInstances:
    """Process manager instances in actors, as all callers share them. Each reacts to an event once.

    Several callers may hand on the same event: one recorded it, others catch up. The instance reacts for the
    first of them, and all of them get the same answer.
    """

    def __init__(
        self,
        references: References,
        event_store: Any,
        versions: Mapping[str, int],
        delivered: Mapping[str, int],
    ) -> None:
        self.references = references
        self.versions = dict(versions)
        self._event_store = event_store
        self._delivered = dict(
            delivered
        )  # by name of the type: the position up to which events were delivered
        self._running: dict[str, RunningInstance] = {}
        self._answers: RecentValues[ReactResult] = RecentValues(KEPT)
        self._lock = Lock()

    def running(self, stream_id: str) -> RunningInstance | None:
        """The instance, or None."""
        return self._running.get(stream_id)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._running))

    def read(self, stream_id: str) -> Any:
        """The instance's state; None where there is none."""
        running = self._running.get(stream_id)
        if running is None:
            return None
        answer: Read = self._ask(running.identity, "read")
        return answer.state

    def react(self, manager: type, interest: Interest, recorded: RecordedEvent) -> ReactResult:
        """What an event does to the instance that is interested in it."""
        identity = identify(manager, interest.id)
        answer = self._answers.get((identity.stream_id, recorded.position))
        if answer is not None:
            return answer
        if recorded.position <= self._seen(identity) or not self._may_react(identity, interest):
            return ReactResult(Verb.IGNORED, (), None, None)
        return self._keep_answer(identity, recorded.position, self._ask(identity, "react", recorded))

    def take_in(self, identity: Identity, recorded: RecordedEvent, verb: Verb) -> ReactResult:
        """Let an instance take in an event that was handed on before, by this process or another."""
        if recorded.position <= self._seen(identity):
            return ReactResult(Verb.IGNORED, (), None, None)
        return self._keep_answer(identity, recorded.position, self._ask(identity, "take_in", recorded, verb))

    def take_rejection(self, identity: Identity, kept: KeptRejection) -> None:
        """Let an instance take in a rejection, once, also where several callers say so.

        Where it comes before events that the instance has reacted to, another process was first, and the
        store refuses these reactions: the instance goes back to where the rejection belongs.
        """
        stream_id = identity.stream_id
        with self._lock:
            running = self._running.get(stream_id)
            if running is None or running.first > kept.position:
                return
            if not has(self._event_store, "rejections"):  # then it comes now
                position = max(kept.position, running.last)
                kept = kept._replace(position=position, number=len(running.rejections) + 1)
            elif kept.number in [each.number for each in running.rejections]:
                return
            count, is_late = len(running.rejections) + 1, running.last > kept.position
            last = kept.position if is_late else running.last
            self._running[stream_id] = running._replace(last=last, rejections=(*running.rejections, kept))
            if is_late:
                gone = self._answers.drop(lambda key: key[0] == stream_id and key[1] > kept.position)
                self.versions[stream_id] -= gone
                self._delivered[identity.category] = min(
                    self._delivered.get(identity.category, 0), kept.position
                )
        if is_late:
            self.references.ask(stream_id, "put", identity, None, 0)
        answer: CatchUpResult = self._ask(identity, "take_rejection", kept, count)
        if answer.error is not None:
            raise answer.error

    def put(self, identity: Identity, state: Any, position: int, rejections: Iterable[KeptRejection]) -> None:
        """Begin with a state that was given, as of a position, instead of with events."""
        taken_in = tuple(rejections)
        self.references.ask(identity.stream_id, "put", identity, state, position, len(taken_in))
        reference = self.references.current(identity.stream_id)
        self._running[identity.stream_id] = RunningInstance(identity, 1, position, reference, taken_in)

    def _seen(self, identity: Identity) -> int:
        """The position up to which the instance is known to have seen all that concerns it."""
        running = self._running.get(identity.stream_id)
        return max(self._delivered.get(identity.category, 0), 0 if running is None else running.last)

    def _may_react(self, identity: Identity, interest: Interest) -> bool:
        return isinstance(interest, Start) or identity.stream_id in self._running

    def _keep_answer(self, identity: Identity, position: int, answer: ReactResult) -> ReactResult:
        """Keep the answer of an instance, once, however many callers asked at the same time.

        Raises the error that is the answer.
        """
        if answer.error is not None:
            raise answer.error
        stream_id, key = identity.stream_id, (identity.stream_id, position)
        with self._lock:
            noted = self._answers.get(key)
            if noted is None and answer.verb != Verb.IGNORED:
                self._answers.put(key, answer)
                self._record(identity, position, answer.after)
        if stream_id not in self._running:
            self.references.release(stream_id)
        return noted or answer

    def _record(self, identity: Identity, position: int, after: Any) -> None:
        """Remember that an instance has reacted to the event at that position."""
        stream_id, category = identity.stream_id, identity.category
        # The event itself may concern further instances.
        self._delivered[category] = max(self._delivered.get(category, 0), position - 1)
        self.versions[stream_id] = self.versions.get(stream_id, 0) + 1
        running = self._running.pop(stream_id, None)
        if after is not None:
            first, rejections = (position, ()) if running is None else (running.first, running.rejections)
            self._running[stream_id] = RunningInstance(
                identity, first, position, self.references.current(stream_id), rejections
            )

    def _ask(self, identity: Identity, method: str, *given: Any) -> Any:
        """The actor's answer, once the actor has seen all events that are known."""
        stream_id = identity.stream_id
        for _ in PAUSES:
            running = self._running.get(stream_id)
            known = 0 if running is None else running.last
            answer = self.references.ask(stream_id, method, identity, *given, known)
            if not isinstance(answer, Behind):
                return answer
            self._restore(stream_id)
        raise gave_up(stream_id, method, "history")

    def _restore(self, stream_id: str) -> None:
        """Send an instance's history to its actor, and the histories of all others that were lost with it."""
        lost = {
            name: running
            for name, running in list(self._running.items())
            if name == stream_id or self.references.is_lost(name, running.reference)
        }
        for name, history in self._histories(lost).items():
            running = lost[name]
            answer: CatchUpResult = self.references.ask(
                name, "restore", running.identity, history, running.last
            )
            if answer.error is not None:
                raise answer.error
            with self._lock:
                if self._running.get(name) is running:
                    self._running[name] = running._replace(reference=self.references.current(name))
            if name not in self._running:  # it has ended meanwhile
                self.references.release(name)

    def _histories(
        self, lost: Mapping[str, RunningInstance]
    ) -> dict[str, list[RecordedEvent | KeptRejection]]:
        """For each instance what it had seen, in order: the history is read once for all of them."""
        histories: dict[str, list[RecordedEvent | KeptRejection]] = {name: [] for name in lost}
        upto = max((running.last for running in lost.values()), default=0)
        since = min((running.first for running in lost.values()), default=1)
        managers = {running.identity.type for running in lost.values()}
        for recorded in self._event_store.stream(ALL, start_version=since):
            if recorded.position > upto:
                break
            for name in _interested(recorded, managers):
                running = lost.get(name)
                if running is not None and running.first <= recorded.position <= running.last:
                    histories[name].append(recorded)
        for name, running in lost.items():
            histories[name] = sorted([*histories[name], *running.rejections], key=attrgetter("position"))
        return histories


def _interested(recorded: RecordedEvent, managers: Iterable[type]) -> Iterator[str]:
    for manager in managers:
        for interest in ask.interested(manager, recorded.event, recorded):
            yield identify(manager, interest.id).stream_id


def reaction(manager: type, interest: Interest, answer: ReactResult) -> Reaction:
    """The answer of an instance as the kernel needs it."""
    return Reaction(manager, interest.id, Verb(answer.verb), answer.commands)


class _LastReaction(NamedTuple):
    """What this thread learned last of instances: their states before, as one store has them, and after."""

    position: int
    before: tuple[ActorProcessManagerStore, dict[str, Any]]
    after: tuple[ActorProcessManagerStore, dict[str, Any]]


class _LastAnswer(local):
    reaction: _LastReaction | None = None


class ActorProcessManagerStore(OverActors):
    """Process manager instances in actors, as a stack's store. Stacks and threads may share them."""

    __slots__ = ("_last_answer",)

    _noun = "instance"

    def __init__(self, shared: SharedInstances, last_answer: _LastAnswer | None = None) -> None:
        super().__init__(shared)
        self._last_answer = last_answer or _LastAnswer()

    def handle_event(
        self, recorded_event: RecordedEvent, process_manager_types: Iterable[type]
    ) -> tuple[tuple[Reaction, ...], ActorProcessManagerStore]:
        """The reactions of the types that are interested, in order, and the store after them."""
        reactions, answers = [], {}
        for manager in process_manager_types:
            for interest in ask.interested(manager, recorded_event.event, recorded_event):
                if isinstance(interest, Once):  # nothing is kept, so no actor is needed
                    answered, _ = InMemoryProcessManagerStore().react(manager, interest, recorded_event)
                    reactions.append(answered)
                    continue
                answer = self._shared.react(manager, interest, recorded_event)
                answers[identify(manager, interest.id).stream_id] = answer
                reactions.append(reaction(manager, interest, answer))
        return tuple(reactions), self._after(recorded_event.position, answers) if answers else self

    def take_in(self, identity: Identity, recorded: RecordedEvent, verb: Verb) -> ActorProcessManagerStore:
        """The store whose instance has taken in an event that was handed on before; it is asked nothing."""
        answer = self._shared.take_in(identity, recorded, verb)
        return self._after(recorded.position, {identity.stream_id: answer})

    def take_rejection(self, identity: Identity, kept: KeptRejection) -> ActorProcessManagerStore:
        """The store whose instance has taken in a rejection."""
        self._shared.take_rejection(identity, kept)
        return ActorProcessManagerStore(self._shared, self._last_answer)

    def kept_rejections(self, stream_id: str) -> tuple[KeptRejection, ...]:
        """The rejections that a running instance has taken in: the event store need not keep them."""
        running = self._shared.running(stream_id)
        return () if running is None else running.rejections

    def get(self, key: Any, default: Any = None) -> Any:
        """The instance with that stream id or `Identity`, or the default."""
        stream_id = stream_id_of(key)
        known, state = self._just_learned(stream_id)
        if not known:
            state = self._shared.read(stream_id)
        return default if state is None else state

    def __iter__(self) -> Iterator[str]:
        return iter(self._shared)

    def _after(self, position: int, answers: Mapping[str, ReactResult]) -> ActorProcessManagerStore:
        after = ActorProcessManagerStore(self._shared, self._last_answer)
        self._last_answer.reaction = _LastReaction(
            position,
            (self, {stream_id: answer.before for stream_id, answer in answers.items()}),
            (after, {stream_id: answer.after for stream_id, answer in answers.items()}),
        )
        return after

    def _just_learned(self, stream_id: str) -> tuple[bool, Any]:
        """Whether this store has just learned the instance's state, and the state, for the step to show.

        An actor knows only the instance's state of now; the state before comes with its answer.
        """
        reaction = self._last_answer.reaction
        if reaction is None:
            return False, None
        store, before = reaction.before
        if store is self and stream_id in before:
            return True, before.pop(stream_id)  # that was for the step; now it has changed
        store, after = reaction.after
        running = self._shared.running(stream_id)
        is_latest = running is None or (running.last == reaction.position and not running.rejections)
        return store is self and stream_id in after and is_latest, after.get(stream_id)


class ActorInstanceVersions(OverActors):
    """The versions of process manager instances in actors, counted where they react to events."""

    __slots__ = ()

    _noun = "version"

    def increment_version(self, identity: Identity, count: int) -> ActorInstanceVersions:
        """The same store: the reaction was counted once already, for all callers."""
        return self

    def get(self, key: Any, default: Any = None) -> Any:
        """The version of that stream id or `Identity`, or the default."""
        return self._shared.versions.get(stream_id_of(key), default)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._shared.versions))
