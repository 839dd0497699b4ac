"""What a commit wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import overload

from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.markup import table
from calamity_lab.shown import shown, shown_fields
from calamity_lab.trace.telling import counted

_ROWS = 20
_LENGTH = 160
_HEADINGS = ("position", "stream_id", "stream_version", "event_type", "event")


@dataclass(frozen=True, slots=True, repr=False)
class Committed(Sequence[RecordedEvent]):
    """The events that a commit wrote, as they are recorded in the store: with the positions they have there.

    It is empty, and so false, where there was nothing to write.
    """

    events: tuple[RecordedEvent, ...] = ()

    @property
    def positions(self) -> tuple[int, ...]:
        """Where the events stand among all events of the store."""
        return tuple(event.position for event in self.events)

    @property
    def streams(self) -> Mapping[str, tuple[int, int]]:
        """The version of each stream before and after, by stream id."""
        before: dict[str, int] = {}
        for event in self.events:
            before.setdefault(event.stream_id, event.stream_version - 1)
        after = {event.stream_id: event.stream_version for event in self.events}
        return {stream_id: (version, after[stream_id]) for stream_id, version in before.items()}

    @overload
    def __getitem__(self, index: int) -> RecordedEvent: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RecordedEvent]: ...
    def __getitem__(self, index: int | slice) -> RecordedEvent | Sequence[RecordedEvent]:
        return self.events[index]

    def __len__(self) -> int:
        return len(self.events)

    def __repr__(self) -> str:
        streams = [f"{shown(name)}  version {old} → {new}" for name, (old, new) in self._first_streams()]
        return "\n".join([self._caption(), *streams])

    def _repr_html_(self) -> str:
        rows = [
            (
                f"{event.position:,}",
                shown(event.stream_id, 60),
                f"{event.stream_version:,}",
                event.event_type,
                shown_fields(event.event, _LENGTH),
            )
            for event in self.events[:_ROWS]
        ]
        more = f", the first {_ROWS} shown" if len(self) > _ROWS else ""
        return table(_HEADINGS, rows, self._caption() + more)

    def _first_streams(self) -> list[tuple[str, tuple[int, int]]]:
        return list(self.streams.items())[:_ROWS]

    def _caption(self) -> str:
        if not self.events:
            return "nothing to commit: what is recorded up to here is in the store already"
        first, last = self.positions[0], self.positions[-1]
        where = f"position {first:,}" if first == last else f"positions {first:,} to {last:,}"
        return (
            f"{counted(len(self), 'event')} committed to {counted(len(self.streams), 'stream')}, at {where}"
        )
