"""How events that lie on top of a store are written to it: all of them at once, or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from calamity_lab.errors import CommitConflict, InvalidValue
from calamity_lab.kernel.constants import ALL
from calamity_lab.kernel.recorded import ProposedEvent, RecordedEvent

Entries = list[tuple[str, ProposedEvent]]


class Commit(NamedTuple):
    """What a commit wrote: the events as they are recorded in the store below, and that store after it."""

    events: tuple[RecordedEvent, ...]
    store: Any


def append_all(store: Any, own: Sequence[RecordedEvent]) -> Commit:
    """Write the events to a store that keeps them, in one transaction."""
    if not own:
        return Commit((), store)
    if not callable(getattr(store, "append_all", None)):
        raise InvalidValue(
            f"{store!r} cannot be committed to: it has no append_all(entries, expected_versions=...), which "
            "writes to several streams at once or not at all; a SQLEventStore has it"
        )
    try:
        recorded = store.append_all(_entries(own), expected_versions=expected_versions(own))
    except CommitConflict:
        recorded = _written_before(store, own)
        if not recorded:
            raise
    return Commit(tuple(recorded), store)


def append_each(store: Any, own: Sequence[RecordedEvent]) -> Commit:
    """Add the events to a store that is a value: the old one stays as it was, so that is all at once too."""
    moved = {
        stream_id: (expected, store.version(stream_id))
        for stream_id, expected in expected_versions(own).items()
        if store.version(stream_id) != expected
    }
    if moved:
        raise CommitConflict(moved)
    head = store.version(ALL)
    for stream_id, proposed in _entries(own):
        store = store.append(stream_id, [proposed])
    return Commit(tuple(store.stream(ALL, start_version=head + 1)), store)


def expected_versions(own: Sequence[RecordedEvent]) -> dict[str, int]:
    """The version of each stream on which the events build."""
    expected: dict[str, int] = {}
    for event in own:
        expected.setdefault(event.stream_id, event.stream_version - 1)
    return expected


def _written_before(store: Any, own: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    """The same events, where they are in the store by an earlier commit whose outcome was not known."""
    there = {
        event.event_id: event
        for stream_id, version in expected_versions(own).items()
        for event in store.stream(stream_id, start_version=version + 1)
    }
    found = [there.get(event.event_id, event) for event in own]
    same = all(
        here is not event and here.event == event.event for here, event in zip(found, own, strict=True)
    )
    return found if same else []


def _entries(own: Sequence[RecordedEvent]) -> Entries:
    """The events with all that is known of them, but for the places that a store gives."""
    return [
        (
            event.stream_id,
            ProposedEvent(
                event.event,
                event.event_id,
                event.correlation_id,
                event.causation_id,
                event.recorded_at,
                event.metadata,
            ),
        )
        for event in own
    ]
