"""The aggregates with which aggregate stores are tried, and their commands and events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from calamity_lab.errors import Rejected
from calamity_lab.kernel.messages import command

# No command may count further than this at once.
LIMIT = 100


@command(to="Counter", by="counter_id")
@dataclass(frozen=True, slots=True)
class Count:
    """Count so far; refused beyond the limit."""

    counter_id: str
    by: int = 1


@command(to="Counter", by="counter_id")
@dataclass(frozen=True, slots=True)
class CountAll:
    """Count each of these, an event each."""

    counter_id: str
    amounts: tuple[int, ...] = ()


@command(to="Counter", by="counter_id")
@dataclass(frozen=True, slots=True)
class Look:
    """Nothing comes of it."""

    counter_id: str


@command(to="Counter", by="counter_id")
@dataclass(frozen=True, slots=True)
class Break:
    """The model's own code breaks: while it decides, or at the second of its events."""

    counter_id: str
    while_: str = "deciding"


@command(to="Gauge", by="gauge_id")
@dataclass(frozen=True, slots=True)
class SetGauge:
    """Another type of aggregate, which may have the same ids."""

    gauge_id: str
    value: float


@dataclass(frozen=True, slots=True)
class Counted:
    """It was counted so far."""

    counter_id: str
    by: int


@dataclass(frozen=True, slots=True)
class Broken:
    """What no counter can apply."""

    counter_id: str


@dataclass(frozen=True, slots=True)
class GaugeSet:
    """A gauge shows another value."""

    gauge_id: str
    value: float


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter: how far it has come, and what it counted on the way."""

    counter_id: str
    total: int = 0
    counted: tuple[int, ...] = ()

    @classmethod
    def new(cls, counter_id: str) -> Self:
        """A counter at nought."""
        return cls(counter_id)

    def execute(self, command: Any) -> Any:
        """An event for each amount, or none, or a refusal."""
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
        """The counter after it was counted."""
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
        """A gauge that shows nothing yet."""
        return cls(gauge_id)

    def execute(self, command: SetGauge) -> GaugeSet:
        """Whatever is asked."""
        return GaugeSet(command.gauge_id, command.value)

    def apply(self, event: GaugeSet) -> Self:
        """The gauge with another value."""
        return replace(self, value=event.value)


COUNTERS: tuple[type, ...] = (
    Counter, Gauge, Count, CountAll, Look, Break, SetGauge, Counted, Broken, GaugeSet,
)  # fmt: skip
