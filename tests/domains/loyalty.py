"""Points of a shop's customers: who asked is in the metadata, and a read model has one row per level."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from calamity_lab import RecordedEvent, Rejected, command


@command(to="Card", by="number")
@dataclass(frozen=True)
class Collect:
    number: int
    points: int


@command(to="Card", by="number")
@dataclass(frozen=True)
class Correct:
    number: int
    points: int


@dataclass(frozen=True)
class Collected:
    number: int
    points: int


@dataclass(frozen=True)
class Corrected:
    number: int
    points: int
    by: str


@dataclass(frozen=True)
class LevelReached:
    number: int
    level: str


@dataclass(frozen=True)
class Card:
    number: int
    points: int = 0
    level: str = "green"
    corrected_by: tuple[str, ...] = ()

    @classmethod
    def new(cls, number: int) -> Card:
        return cls(number)

    def execute(self, command: Any, context: Any) -> list[Any]:
        if isinstance(command, Correct):
            clerk = context.metadata.get("clerk")
            if clerk is None:
                raise Rejected("only a clerk may correct points")
            return [Corrected(self.number, command.points, clerk)]
        events: list[Any] = [Collected(self.number, command.points)]
        if self.level == "green" and self.points + command.points >= 100:
            events.append(LevelReached(self.number, "gold"))
        return events

    def apply(self, event: Any) -> Card:
        match event:
            case Collected(points=points):
                return replace(self, points=self.points + points)
            case Corrected(points=points, by=clerk):
                return replace(self, points=points, corrected_by=(*self.corrected_by, clerk))
            case LevelReached(level=level):
                return replace(self, level=level)
        return self


@dataclass(frozen=True)
class Level:
    """A projection: the cards that reached a level, and when."""

    name: str
    reached: dict[int, int] = field(default_factory=dict)
    """The position of the event for each card."""

    @classmethod
    def key(cls, event: Any) -> str | None:
        return event.level if isinstance(event, LevelReached) else None

    @classmethod
    def new(cls, name: str) -> Level:
        return cls(name)

    def apply(self, event: LevelReached, recorded: RecordedEvent) -> Level:
        return replace(self, reached={**self.reached, event.number: recorded.position})
