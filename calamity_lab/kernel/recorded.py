"""Events with what is known about them: before they are recorded, and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, NamedTuple

from calamity_lab.kernel.metadata import Metadata
from calamity_lab.kernel.values import maker, value


class ProposedEvent(NamedTuple):
    """An event on its way to an event store, which gives it a version and a position."""

    event: Any
    event_id: str
    correlation_id: str
    causation_id: str | None
    recorded_at: datetime
    metadata: Mapping[str, Any]


@value
class RecordedEvent:
    """An event as an event store keeps it.

    ``stream_version`` counts from 1 within the stream, ``position`` from 1 over all streams.
    ``causation_id`` is the id of the command that caused it, ``correlation_id`` is shared by all that
    one submitted command caused. ``recorded_at`` is in UTC.
    """

    event: Any
    event_type: str
    event_id: str
    stream_id: str
    stream_version: int
    position: int
    correlation_id: str
    causation_id: str | None
    recorded_at: datetime
    metadata: Mapping[str, Any] = field(default_factory=Metadata)


# The quick way to a RecordedEvent, from all its fields in order: an event store makes one for each event.
make_recorded = maker(RecordedEvent)
