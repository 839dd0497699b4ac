"""The aggregates, process managers and events with which the suites try a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from calamity_lab.errors import Rejected
from calamity_lab.kernel.clocks_and_ids import seeded_ids
from calamity_lab.kernel.from_functions import policy
from calamity_lab.kernel.messages import After, At, Cancel, Continue, Start, Stop, command
from calamity_lab.kernel.recorded import ProposedEvent, RecordedEvent

# No command may count further than this at once.
LIMIT = 100


@command(to="Counter", by="counter_id")
@dataclass(frozen=True, slots=True)
class Count:
    """Count by an amount; rejected beyond the limit."""

    counter_id: str
    by: int = 1


@command(to="Counter", by="counter_id")
@dataclass(frozen=True, slots=True)
class CountAll:
    """Count by each of these amounts, with one event per amount."""

    counter_id: str
    amounts: tuple[int, ...] = ()


@command(to="Counter", by="counter_id")
@dataclass(frozen=True, slots=True)
class Inspect:
    """A command without events."""

    counter_id: str


@command(to="Counter", by="counter_id")
@dataclass(frozen=True, slots=True)
class Break:
    """A command for which the model raises an error: in execute, or in apply for its second event."""

    counter_id: str
    while_: str = "deciding"


@command(to="Gauge", by="gauge_id")
@dataclass(frozen=True, slots=True)
class SetGauge:
    """A command to another type of aggregate, which may have the same ids."""

    gauge_id: str
    value: float


@dataclass(frozen=True, slots=True)
class Counted:
    """It was counted by an amount."""

    counter_id: str
    by: int


@dataclass(frozen=True, slots=True)
class Broken:
    """An event that no counter can apply."""

    counter_id: str


@dataclass(frozen=True, slots=True)
class GaugeSet:
    """A gauge was set to another value."""

    gauge_id: str
    value: float


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter: its total, and the amounts that it counted."""

    counter_id: str
    total: int = 0
    counted: tuple[int, ...] = ()

    @classmethod
    def new(cls, counter_id: str) -> Self:
        """A counter at zero."""
        return cls(counter_id)

    def execute(self, command: Any) -> Any:
        """One event per amount, or no event, or a rejection."""
        match command:
            case Count(counter_id, by):
                if by > LIMIT:
                    raise Rejected("too much at once", by=by, total=self.total)
                return Counted(counter_id, by)
            case CountAll(counter_id, amounts):
                if any(amount > LIMIT for amount in amounts):
                    raise Rejected("too much at once", total=self.total)
                return [Counted(counter_id, amount) for amount in amounts]
            case Break(counter_id, "applying"):
                return [Counted(counter_id, 1), Broken(counter_id)]
            case Break():
                raise RuntimeError("the model broke")
        return None

    def apply(self, event: Any) -> Self:
        """The counter after an event."""
        if not isinstance(event, Counted):
            raise TypeError(f"a counter cannot apply {event!r}")
        return replace(self, total=self.total + event.by, counted=(*self.counted, event.by)[-5:])


@dataclass(frozen=True, slots=True)
class Gauge:
    """A gauge, and the value it shows."""

    gauge_id: str
    value: float = 0.0

    @classmethod
    def new(cls, gauge_id: str) -> Self:
        """A gauge at zero."""
        return cls(gauge_id)

    def execute(self, command: SetGauge) -> GaugeSet:
        """The event that sets the value."""
        return GaugeSet(command.gauge_id, command.value)

    def apply(self, event: GaugeSet) -> Self:
        """The gauge with another value."""
        return replace(self, value=event.value)


COUNTERS: tuple[type, ...] = (
    Counter, Gauge, Count, CountAll, Inspect, Break, SetGauge, Counted, Broken, GaugeSet,
)  # fmt: skip


# A stop for which the process manager raises an error.
NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class ErrandGiven:
    """Somebody was sent to some places; sent again, they go on from where they are."""

    errand_id: str
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StopReached:
    """They came to one of the places."""

    errand_id: str
    stop: str


@dataclass(frozen=True, slots=True)
class ErrandDone:
    """They came home."""

    errand_id: str


@dataclass(frozen=True, slots=True)
class RainFell:
    """An event that no process manager is interested in."""

    where: str = ""


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Errand:
    """An errand from its start to its end: the stops to come, and the stops reached."""

    errand_id: str
    to_come: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()

    @classmethod
    def interested(cls, event: Any) -> Start | Continue | Stop | None:
        """Each errand is interested in its own events."""
        match event:
            case ErrandGiven(errand_id):
                return Start(errand_id)
            case StopReached(errand_id):
                return Continue(errand_id)
            case ErrandDone(errand_id):
                return Stop(errand_id)
        return None

    @classmethod
    def new(cls, id: str) -> Self:  # noqa: A002 - the contract's name
        """An errand with nowhere to go yet."""
        return cls(id)

    def apply(self, event: Any) -> Self:
        """The errand with stops to come, or with one of them reached."""
        match event:
            case ErrandGiven(_, stops):
                return replace(self, to_come=(*self.to_come, *stops))
            case StopReached(_, stop):
                to_come = tuple(one for one in self.to_come if one != stop)
                return replace(self, to_come=to_come, reached=(*self.reached, stop))
        return self

    def handle(self, event: Any) -> Any:
        """A command for each stop to come; one when a stop was reached, and none when it was the last."""
        match event:
            case ErrandGiven(_, stops):
                return [Count(stop, number) for number, stop in enumerate(stops, 1)]
            case StopReached(stop="nowhere"):
                raise RuntimeError("the model broke")
            case StopReached(_, stop) if self.to_come:
                return Count(stop, len(self.reached))
        return None


@dataclass(frozen=True, slots=True)
class Visits:
    """The visits to one place: another process manager, with other ids, for the same events."""

    place: str
    count: int = 0

    @classmethod
    def interested(cls, event: Any) -> Start | Continue | Stop | None:
        """Each place is interested in the visits to it."""
        return Start(event.stop) if isinstance(event, StopReached) else None

    @classmethod
    def new(cls, id: str) -> Self:  # noqa: A002 - the contract's name
        """A place where nobody has been."""
        return cls(id)

    def apply(self, event: StopReached) -> Self:
        """The place with one visit more."""
        return replace(self, count=self.count + 1)

    def handle(self, event: StopReached) -> tuple[Count, ...]:
        """As many commands as there were visits."""
        return tuple(Count(self.place, number) for number in range(1, self.count + 1))


@dataclass(frozen=True, slots=True)
class Notice:
    """What is noticed of a visit: one event concerns the errand and the place, which has the position."""

    id: str
    seen_at: tuple[int, ...] = ()

    @classmethod
    def interested(cls, event: Any) -> list[Start | Continue]:
        """The errand is noticed once it is given, and each place from its first visit on."""
        match event:
            case ErrandGiven(errand_id=errand_id):
                return [Start(errand_id)]
            case StopReached(errand_id=errand_id, stop=stop) if errand_id != stop:
                return [Continue(errand_id), Start(stop)]
        return []

    @classmethod
    def new(cls, id: str) -> Self:  # noqa: A002 - the contract's name
        """Nothing was noticed yet."""
        return cls(id)

    def apply(self, event: Any, recorded: RecordedEvent) -> Self:
        """The same with the position of the event."""
        return replace(self, seen_at=(*self.seen_at, recorded.position))

    def handle(self, event: Any) -> Count:
        """A command of this instance."""
        return Count(self.id, len(self.seen_at))


@dataclass(frozen=True, slots=True)
class Awaited:
    """Somebody who is awaited: it counts at once, after a day and at noon, unless they come home before."""

    errand_id: str

    @classmethod
    def interested(cls, event: Any) -> Start | Stop | None:
        """Whoever was sent is awaited until they come home."""
        match event:
            case ErrandGiven(errand_id):
                return Start(errand_id)
            case ErrandDone(errand_id):
                return Stop(errand_id)
        return None

    @classmethod
    def new(cls, id: str) -> Self:  # noqa: A002 - the contract's name
        """Somebody who was not sent yet."""
        return cls(id)

    def apply(self, event: Any) -> Self:
        """Nothing of an event is kept."""
        return self

    def handle(self, event: Any) -> list[Any]:
        """Deadlines among commands, and what takes deadlines off."""
        count = Count(self.errand_id, 1)
        return [
            count,
            After(timedelta(days=1), count, name="late"),
            At(NOON, count),
            Cancel("late"),
            Cancel(Count),
        ]


@policy
def note_visit(event: StopReached) -> Count:
    """Count a visit, and keep nothing: a policy."""
    return Count(event.stop, 1)


MANAGERS: tuple[type, ...] = (Errand, Visits)
ERRANDS: tuple[type, ...] = (
    *MANAGERS,
    Notice,
    Awaited,
    ErrandGiven,
    StopReached,
    ErrandDone,
    RainFell,
    Count,
)


@dataclass(frozen=True, slots=True)
class NoteTaken:
    """Somebody wrote something down."""

    text: str


@dataclass(frozen=True, slots=True)
class CountRead:
    """Somebody read a number off."""

    number: int
    exact: bool = True


@dataclass(frozen=True, slots=True)
class PageFilled:
    """A page with notes, some of which belong together."""

    title: str | None
    ratio: float
    notes: tuple[NoteTaken, ...] = ()
    tags: tuple[str, ...] = ()


EVENTS: tuple[type, ...] = (NoteTaken, CountRead, PageFilled)


def notes(count: int, start: int = 1) -> list[Any]:
    """That many different events."""
    return [
        CountRead(number) if number % 2 else NoteTaken(f"note {number}")
        for number in range(start, start + count)
    ]


def proposed(events: Iterable[Any], *, seed: str = "notes") -> Iterator[ProposedEvent]:
    """The events, each with its own ids, time and metadata; ``seed`` makes one series differ from another."""
    at = datetime(2026, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
    ids, more = seeded_ids(seed), 0
    for more, event in enumerate(events):
        (event_id, correlation_id, causation_id), ids = ids.draw(3)
        yield ProposedEvent(
            event,
            event_id,
            correlation_id,
            causation_id if more % 3 else None,
            at + timedelta(microseconds=more),
            {"user": f"ada {more}", "depth": more, "seen": [True, None, 0.5, {"by": "bela"}]},
        )
