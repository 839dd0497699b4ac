"""The same appends and reads with the recorders of the `eventsourcing` library."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import NAMESPACE_URL, uuid5

from eventsourcing.persistence import ApplicationRecorder, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from calamity_lab.kernel.recorded import RecordedEvent
from tests.benchmarks.events_by_hand import batches


def stored(history: Sequence[RecordedEvent]) -> list[StoredEvent]:
    """The events as the library stores them, their states written already."""
    return [
        StoredEvent(
            originator_id=uuid5(NAMESPACE_URL, r.stream_id),
            originator_version=r.stream_version,
            topic=f"bank:{r.event_type}",
            state=json.dumps(
                {name: getattr(r.event, name) for name in r.event.__dataclass_fields__}
                | {"timestamp": r.recorded_at.isoformat(), "event_id": r.event_id, **r.metadata}
            ).encode(),
        )
        for r in history
    ]


def sqlite_recorder(path: str) -> ApplicationRecorder:
    """The recorder whose notifications have positions, as ours have."""
    recorder = SQLiteApplicationRecorder(SQLiteDatastore(path))
    recorder.create_table()
    return recorder


def postgres_recorder(url: str) -> ApplicationRecorder:
    """The recorder whose notifications have positions, as ours have."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    datastore = PostgresDatastore(
        dbname=parts.path.lstrip("/"),
        host=query["host"][0] if "host" in query else str(parts.hostname),
        port=query["port"][0] if "port" in query else str(parts.port or 5432),
        user=str(parts.username),
        password=parts.password or "",
    )
    recorder = PostgresApplicationRecorder(datastore)
    recorder.create_table()
    return recorder


def appends(recorder: ApplicationRecorder, events: Sequence[StoredEvent], size: int) -> Callable[[], Any]:
    """A transaction for each batch."""
    parts = batches(events, size)

    def work() -> None:
        for part in parts:
            recorder.insert_events(part)

    return work


def reads(recorder: ApplicationRecorder) -> Callable[[], Any]:
    """All notifications in order, their states parsed."""

    def work() -> list[Any]:
        return [json.loads(n.state) for n in recorder.select_notifications(start=1, limit=10**9)]

    return work
