"""The in-memory stores, as values: aggregates, process manager instances and versions, each by stream id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, Self, TypeVar, runtime_checkable

from calamity_lab.errors import InvalidModel, InvalidValue, repr_of
from calamity_lab.kernel import ask
from calamity_lab.kernel.arguments import a_list, a_mapping, a_text, a_whole_number, an_instance, is_a, wrong
from calamity_lab.kernel.folding import Verb, begun, fold, react, states_after
from calamity_lab.kernel.frozen import FrozenValue
from calamity_lab.kernel.identity import Identity, identify, stored_name, stream_id_of
from calamity_lab.kernel.messages import Continue, Interest, Once, Start, Stop
from calamity_lab.kernel.persistent import PersistentMap
from calamity_lab.kernel.recorded import KeptRejection, RecordedEvent
from calamity_lab.kernel.second_arguments import Context, as_decided, takes_record

V = TypeVar("V")


class _Keyed(PersistentMap[V]):
    """A frozen mapping from stream ids; an `Identity` may be used where a stream id may."""

    @classmethod
    def _of(cls, items: Mapping[Any, V] | None = None) -> Self:
        given = {} if items is None else a_mapping(cls.__name__, items, "{'BankAccount-1': BankAccount('1')}")
        return super()._of({_checked(key): value for key, value in given.items()})


class InMemoryAggregateStore(_Keyed[Any]):
    """Aggregates in a persistent map, as a value."""

    def dispatch(
        self, command: Any, context: Context | None = None
    ) -> tuple[tuple[Any, ...], InMemoryAggregateStore]:
        """The events that the command leads to, and the store with them applied."""
        identity = ask.target(command)
        events, _, store = self.decide(identity, command, self.get(identity.stream_id), context)
        return events, store

    def decide(
        self, identity: Identity, command: Any, aggregate: Any, context: Context | None = None
    ) -> tuple[tuple[Any, ...], tuple[Any, ...], InMemoryAggregateStore]:
        """Like `dispatch` for a known target and state; also returns the state after each event."""
        if type(identity) is not Identity:
            _check_identity("decide", identity)
        if type(aggregate) is not identity.type:
            aggregate = self._current(identity)
        events = ask.execute(aggregate, command, context)
        if not events:
            return events, (), self
        if context is not None and takes_record(type(aggregate)):
            records = as_decided(events, identity.stream_id, command, context)
            after = states_after(aggregate, records)
            return events, after, self.insert(identity.stream_id, after[-1])
        states = []
        for event in events:
            aggregate = ask.apply(aggregate, event)
            states.append(aggregate)
        return events, tuple(states), self.insert(identity.stream_id, aggregate)

    def apply(self, identity: Identity, events: Iterable[Any]) -> InMemoryAggregateStore:
        """The store with events applied that were recorded elsewhere: `RecordedEvent`s, or bare events."""
        _check_identity("apply", identity)
        given = events if type(events) in (list, tuple) else a_list("apply(events)", events, "[event]")
        return self._with(identity, fold(self._current(identity), given))

    def forget(self, identity: Identity) -> InMemoryAggregateStore:
        """The store without that aggregate."""
        _check_identity("forget", identity)
        return self.discard(identity.stream_id)

    def _current(self, identity: Identity) -> Any:
        aggregate = self.get(identity.stream_id)
        if aggregate is None:
            return begun(identity)
        _same_class(identity, aggregate)
        return aggregate

    def _with(self, identity: Identity, aggregate: Any) -> InMemoryAggregateStore:
        return self.insert(identity.stream_id, aggregate)


class Reaction(FrozenValue, frozen=True):
    """What one process manager made of one event: the type, the instance's id, the verb, the commands."""

    manager: type
    id: Any
    verb: Verb
    commands: tuple[Any, ...] = ()

    @property
    def identity(self) -> Identity:
        """The instance."""
        return identify(self.manager, self.id)


class InMemoryProcessManagerStore(_Keyed[Any]):
    """Process manager instances in a persistent map, as a value."""

    def handle_event(
        self, recorded_event: RecordedEvent, process_manager_types: Iterable[type]
    ) -> tuple[tuple[Reaction, ...], InMemoryProcessManagerStore]:
        """The reactions of the types that are interested, in order, and the store after them."""
        store, reactions = self, []
        if type(recorded_event) is not RecordedEvent:
            an_instance("handle_event(recorded_event)", recorded_event, RecordedEvent, "a RecordedEvent")
        types = a_list("handle_event(process_manager_types)", process_manager_types, "[Transfer]", of=type)
        for manager in types:
            for interest in ask.interested(manager, recorded_event.event, recorded_event):
                reaction, store = store._react(manager, interest, recorded_event)
                reactions.append(reaction)
        return tuple(reactions), store

    def take_in(self, identity: Identity, recorded: RecordedEvent, verb: Verb) -> InMemoryProcessManagerStore:
        """The store whose instance has taken in an event that was handed on before; it is asked nothing."""
        _check_identity("take_in", identity)
        an_instance("take_in(recorded)", recorded, RecordedEvent, "a RecordedEvent")
        stream_id = identity.stream_id
        if verb is Verb.STOPPED:
            return self.discard(stream_id)
        state = None if verb is Verb.STARTED else self.get(stream_id)
        return self.insert(stream_id, fold(begun(identity) if state is None else state, (recorded,)))

    def take_rejection(self, identity: Identity, kept: KeptRejection) -> InMemoryProcessManagerStore:
        """The store whose instance has taken in a rejection; the same where the instance is not there."""
        _check_identity("take_rejection", identity)
        an_instance("take_rejection(kept)", kept, KeptRejection, "store.rejections(find, 'Transfer').kept[0]")
        state = self.get(identity.stream_id)
        return self if state is None else self.put(identity, ask.apply(state, kept.rejected, kept.cause))

    def put(self, identity: Identity, state: Any) -> InMemoryProcessManagerStore:
        """The store with that instance in that state; None for an instance that has ended."""
        _check_identity("put", identity)
        return self.discard(identity.stream_id) if state is None else self.insert(identity.stream_id, state)

    def react(
        self, manager: type, interest: Interest, recorded: RecordedEvent
    ) -> tuple[Reaction, InMemoryProcessManagerStore]:
        """What one instance makes of an event that concerns it, and the store after that."""
        an_instance("react(manager)", manager, type, "Transfer")
        an_instance("react(recorded)", recorded, RecordedEvent, "a RecordedEvent")
        if not is_a(interest, Start, Continue, Stop, Once):
            raise wrong("react(interest)", interest, "Start(id), Continue(id) or Stop(id)")
        return self._react(manager, interest, recorded)

    def _react(
        self, manager: type, interest: Interest, recorded: RecordedEvent
    ) -> tuple[Reaction, InMemoryProcessManagerStore]:
        identity = identify(manager, interest.id)
        stream_id = identity.stream_id
        instance = self.get(stream_id)
        if instance is not None and type(instance) is not manager and not isinstance(interest, Stop):
            _same_class(identity, instance)
        verb, after, commands = react(identity, instance, interest, recorded)
        store = self
        if after is not None:
            store = self.insert(stream_id, after)
        elif instance is not None:
            store = self.discard(stream_id)
        return Reaction(manager, interest.id, verb, commands), store


class InMemoryVersionStore(_Keyed[int]):
    """Versions in a persistent map, as a value."""

    def increment_version(self, identity: Identity, count: int) -> InMemoryVersionStore:
        """The store with that version ``count`` higher; from 0 where there was none."""
        if type(identity) is not Identity or type(count) is not int:
            _check_identity("increment_version", identity)
            count = a_whole_number("increment_version(count)", count, low=None)
        known = self.get(identity.stream_id, 0)
        return self.insert(identity.stream_id, known + count)


def _check_identity(method: str, given: Any) -> None:
    an_instance(f"{method}(identity)", given, Identity, "Identity(BankAccount, '1')")


def _checked(key: Any) -> str:
    stream_id = stream_id_of(key)
    if not is_a(stream_id, str) or "-" not in str.__str__(stream_id):
        raise InvalidValue(
            f"{repr_of(key)} is not a stream id. Give a category, a dash and an id, as in 'BankAccount-1', "
            "or Identity(BankAccount, '1')"
        )
    return str.__str__(stream_id)


def _same_class(identity: Identity, state: Any) -> None:
    """Raise for a state whose class was defined again since it was stored."""
    cls, wanted = type(state), identity.type
    if cls is not wanted and isinstance(wanted, type) and stored_name(cls) == stored_name(wanted):
        raise InvalidModel(
            f"{identity.stream_id} was built by another definition of {wanted.__name__} "
            f"({cls.__module__}, now {wanted.__module__}) than the one asked for; "
            "two classes must not share a name. After a cell that defines a class again, run %lab: it "
            "replays the lab on the classes as they are now. A Stack must be made again"
        )


class Snapshot(NamedTuple):
    """The state of an aggregate, or of a process manager instance, after one event.

    ``version`` counts the applied events. ``position`` and ``event_id`` are those of the last event: of the
    aggregate's stream, or of the last event that was delivered to the type of the instance.
    """

    stream_id: str
    version: int
    position: int
    event_id: str
    state: Any


def check_snapshot(given: Any) -> Snapshot:
    """The snapshot, after a check of its fields."""
    snapshot: Snapshot = an_instance("put(snapshot)", given, Snapshot, "take_snapshots(run, snapshots)")
    for name in ("stream_id", "event_id"):
        a_text(f"Snapshot({name})", getattr(snapshot, name), "'BankAccount-1'")
    for name in ("version", "position"):
        a_whole_number(f"Snapshot({name})", getattr(snapshot, name), high=2**63 - 1)
    return snapshot


@runtime_checkable
class SnapshotStore(Protocol):
    """Keeps the latest snapshot of each stream id."""

    def get(self, stream_id: str, cls: type) -> Snapshot | None:
        """The snapshot of that aggregate or instance, a ``cls``; None where there is none that fits."""
        ...

    def put(self, snapshot: Snapshot) -> SnapshotStore:
        """The store with that snapshot, unless it has a later one."""
        ...


class InMemorySnapshotStore:
    """Snapshots in a persistent map, as a value."""

    __slots__ = ("_held",)

    def __init__(self, snapshots: Iterable[Snapshot] = ()) -> None:
        given = a_list("InMemorySnapshotStore(snapshots)", snapshots, "[Snapshot(...)]", of=Snapshot)
        self._held = PersistentMap({check_snapshot(each).stream_id: each for each in given})

    def get(self, stream_id: str, cls: type) -> Snapshot | None:
        """The snapshot of that stream id, where its state is of that class."""
        snapshot: Snapshot | None = self._held.get(a_text("get(stream_id)", stream_id, "'BankAccount-1'"))
        return snapshot if snapshot is not None and type(snapshot.state) is cls else None

    def put(self, snapshot: Snapshot) -> InMemorySnapshotStore:
        """The store with that snapshot, unless it has a later one."""
        known = self._held.get(check_snapshot(snapshot).stream_id)
        if known is not None and known.position > snapshot.position:
            return self
        store = InMemorySnapshotStore()
        store._held = self._held.insert(snapshot.stream_id, snapshot)
        return store

    def __iter__(self) -> Iterator[Snapshot]:
        return iter(self._held.values())

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"InMemorySnapshotStore({len(self):,} snapshots)"
