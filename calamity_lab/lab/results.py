"""The results that a lab returns: states, steps, pending commands and commits, each shown as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Any, overload

from calamity_lab import frames
from calamity_lab.errors import UnknownKey, repr_of, text_of
from calamity_lab.frames.exports import Exports
from calamity_lab.kernel.agenda import Agenda, Pending
from calamity_lab.kernel.arguments import an_index, are_equal, is_a, span
from calamity_lab.kernel.identity import stream_id_of
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.steps import Step
from calamity_lab.text import format_fields, format_value, html_table, plural
from calamity_lab.trace.projections import BrokenProjection
from calamity_lab.trace.sentences import fact, origin, sentence

if TYPE_CHECKING:
    from pandas import DataFrame

    from calamity_lab.views.details import Details

_ROWS = 20
_NAMED = 8
_COMPARED = 1_000
_LENGTH = 200
_COMMITTED_LENGTH = 160
_HEADINGS = ("position", "stream_id", "stream_version", "event_type", "event")


class States(Mapping[str, Any], Exports):
    """States by stream id, as in ``lab.aggregates["BankAccount-1"]``.

    An export, such as `to_pandas`, has every state up to the cursor, not only the current ones.
    """

    def __init__(self, noun: str, states: Mapping[str, Any], table: Callable[[], Exports]) -> None:
        self._noun = noun
        self._states = states
        self._table = table

    def __getitem__(self, key: Any) -> Any:
        stream_id = stream_id_of(key)
        state = self._states.get(stream_id) if is_a(stream_id, str) else None
        if state is None:
            missing = f"there is no {self._noun} {repr_of(stream_id)} at this moment"
            raise UnknownKey(f"{missing}; {self._meant(stream_id)}")
        return state

    def get(self, key: Any, default: Any = None) -> Any:
        """The state with that stream id or `Identity`, or the default."""
        return self._states.get(stream_id_of(key), default)

    def __contains__(self, key: object) -> bool:
        return stream_id_of(key) in self._states

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)

    def to_pandas(self) -> DataFrame:
        """One row per event that made a state, up to the cursor, with the fields of that state."""
        return self._table().to_pandas()

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """One dict per row of `to_pandas`, with the fields of the state under ``state``."""
        return self._table().rows()

    def __repr__(self) -> str:
        lines = [f"{format_value(stream_id)}  {_fields(state)}" for stream_id, state in self._first()]
        return "\n".join([self._caption(), *lines])

    def _repr_html_(self) -> str:
        rows = [(format_value(stream_id), _fields(state)) for stream_id, state in self._first()]
        return html_table((self._noun, "state"), rows, self._caption())

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def _first(self) -> list[tuple[str, Any]]:
        return list(self._states.items())[:_ROWS]

    def _meant(self, key: Any) -> str:
        """The nearest stream ids, else those that there are; of very many only the first are compared."""
        names = list(islice(self._states, _COMPARED))
        ids = [name for name in names if name.partition("-")[2] == text_of(key)]
        near = ids or get_close_matches(text_of(key), names)
        if near:
            return f"did you mean {' or '.join(repr(name) for name in near[:_NAMED])}?"
        return f"{self._known()}. Move the cursor to a later moment, or name another one"

    def _known(self) -> str:
        names = list(self._states)[:_NAMED]
        if not names:
            return f"there is no {self._noun} yet"
        return f"known: {', '.join(names)}" + (", ..." if len(self) > _NAMED else "")

    def _caption(self) -> str:
        return _caption(len(self), self._noun)


class Steps(Sequence[Step], Exports):
    """The steps up to the cursor, or some of them; `to_pandas` gives them as a table."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | Sequence[Step]:
        if type(index) is slice:
            span(index, len(self))
            return Steps(self._steps[index])
        return self._steps[an_index("steps[index]", index, len(self), "step")]

    def __len__(self) -> int:
        return len(self._steps)

    def to_pandas(self) -> DataFrame:
        """One row per step."""
        return self._table().to_pandas()

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """One dict per row of `to_pandas`."""
        return self._table().rows()

    def _table(self) -> Exports:
        return frames.step_table(self._steps)

    def __repr__(self) -> str:
        return "\n".join([self._caption(), *(sentence(step) for step in self._last())])

    def _repr_html_(self) -> str:
        rows = [(f"{step.index:,}", step.kind, fact(step)) for step in self._last()]
        return html_table(("step", "kind", "fact"), rows, self._caption())

    def _last(self) -> Sequence[Step]:
        return self._steps[max(len(self) - _ROWS, 0) :]

    def _caption(self) -> str:
        return _caption(len(self), "step", "last")


class PendingCommands(Sequence[Any]):
    """The commands on the agenda, in order; ``pending`` also has their ids and causes."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda

    @property
    def pending(self) -> tuple[Pending, ...]:
        """The entries of the agenda: each command with its id and its cause."""
        return self._agenda.pending

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._agenda[index]

    def __len__(self) -> int:
        return len(self._agenda)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._agenda)

    def __eq__(self, other: Any) -> bool:
        return are_equal(self._agenda, other._agenda if is_a(other, PendingCommands) else other)

    def __hash__(self) -> int:
        return hash(self._agenda)

    def __repr__(self) -> str:
        return "\n".join(
            [
                self._caption(),
                *(f"{n}  {format_value(p.command, _LENGTH)}, {origin(p)}" for n, p in self._first()),
            ]
        )

    def _repr_html_(self) -> str:
        rows = [(str(n), format_value(p.command, _LENGTH), origin(p)) for n, p in self._first()]
        return html_table(("index", "command", "caused by"), rows, self._caption())

    def _first(self) -> list[tuple[int, Pending]]:
        return [(n, p) for n, p in zip(range(_ROWS), self._agenda.entries(), strict=False)]

    def _caption(self) -> str:
        return _caption(len(self), "pending command")


@dataclass(frozen=True, slots=True, repr=False)
class Committed(Sequence[RecordedEvent]):
    """The events that a commit wrote, with the positions that they have in the store.

    It is empty, and therefore false, if there was nothing to write.
    """

    events: tuple[RecordedEvent, ...] = ()

    @property
    def positions(self) -> tuple[int, ...]:
        """The position of each event in the store."""
        return tuple(event.position for event in self.events)

    @property
    def streams(self) -> Mapping[str, tuple[int, int]]:
        """The version of each stream before and after the commit, by stream id."""
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
        if type(index) is slice:
            span(index, len(self))
            return self.events[index]
        return self.events[an_index("committed[index]", index, len(self), "event")]

    def __len__(self) -> int:
        return len(self.events)

    def __repr__(self) -> str:
        streams = [
            f"{format_value(name)}  version {old} → {new}" for name, (old, new) in self._first_streams()
        ]
        return "\n".join([self._caption(), *streams])

    def _repr_html_(self) -> str:
        rows = [
            (
                f"{event.position:,}",
                format_value(event.stream_id, 60),
                f"{event.stream_version:,}",
                event.event_type,
                format_fields(event.event, _COMMITTED_LENGTH),
            )
            for event in self.events[:_ROWS]
        ]
        more = f", the first {_ROWS} shown" if len(self) > _ROWS else ""
        return html_table(_HEADINGS, rows, self._caption() + more)

    def _first_streams(self) -> list[tuple[str, tuple[int, int]]]:
        return list(self.streams.items())[:_ROWS]

    def _caption(self) -> str:
        if not self.events:
            return "nothing to commit: the store already has every event up to this moment"
        first, last = self.positions[0], self.positions[-1]
        where = f"position {first:,}" if first == last else f"positions {first:,} to {last:,}"
        return f"{plural(len(self), 'event')} committed to {plural(len(self.streams), 'stream')}, at {where}"


def _caption(count: int, noun: str, which: str = "first") -> str:
    return plural(count, noun) + (f", the {which} {_ROWS} shown" if count > _ROWS else "")


def _fields(state: Any) -> str:
    if is_a(state, BrokenProjection):
        return str(state)
    return format_fields(state, _LENGTH) or format_value(state, _LENGTH)


class SelectedEvents(frames.History):
    """The selected events, as a history. A single message is shown whole, also one that recorded no event."""

    __slots__ = ("details",)

    details: Details

    def __init__(self, recorded_events: Iterable[RecordedEvent], details: Details) -> None:
        super().__init__(recorded_events)
        self.details = details

    def __repr__(self) -> str:
        if self.details.events or not self.details.key:
            return super().__repr__()
        rows = [f"{name}  {value}" for name, value in self.details.rows()]
        return "\n".join([f"{self.details.title}: {self.details.sentence}", *rows])

    def _repr_html_(self) -> str:
        if self.details.events or not self.details.key:
            return super()._repr_html_()
        return html_table(
            ("", ""), list(self.details.rows()), f"{self.details.title}: {self.details.sentence}"
        )
