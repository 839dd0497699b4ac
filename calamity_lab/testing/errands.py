"""The process managers with which their stores are tried, and the events that they answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from calamity_lab.kernel.messages import Continue, Start, Stop
from calamity_lab.testing.counters import Count

# A stop at which a process manager's own code breaks.
NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class ErrandGiven:
    """Somebody was sent to some places; sent again, he goes on from where he is."""

    errand_id: str
    stops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StopReached:
    """He came to one of them."""

    errand_id: str
    stop: str


@dataclass(frozen=True, slots=True)
class ErrandDone:
    """He came home."""

    errand_id: str


@dataclass(frozen=True, slots=True)
class RainFell:
    """What nobody is interested in."""

    where: str = ""


@dataclass(frozen=True, slots=True)
class Errand:
    """An errand: begun when it is given, over when it is done; it counts the stops to come and reached."""

    errand_id: str
    to_come: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()

    @classmethod
    def interested(cls, event: Any) -> Start | Continue | Stop | None:
        """Each errand hears of itself."""
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
    """The visits to one place, by whomever: another process manager, with other ids, for the same events."""

    place: str
    count: int = 0

    @classmethod
    def interested(cls, event: Any) -> Start | Continue | Stop | None:
        """Each place hears of whoever comes there."""
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


MANAGERS: tuple[type, ...] = (Errand, Visits)
ERRANDS: tuple[type, ...] = (*MANAGERS, ErrandGiven, StopReached, ErrandDone, RainFell, Count)
