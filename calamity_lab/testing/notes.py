"""The events with which event stores are tried: plain records, as a model has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from calamity_lab.kernel.recorded import ProposedEvent
from calamity_lab.kernel.sources import seeded_ids


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
    """So many different events."""
    return [
        CountRead(number) if number % 2 else NoteTaken(f"note {number}")
        for number in range(start, start + count)
    ]


def proposed(events: Iterable[Any], *, seed: str = "notes") -> Iterator[ProposedEvent]:
    """The events with ids, times and metadata of their own: each set differs from the others."""
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
