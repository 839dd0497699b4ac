"""The event history: recorded events as a sequence, with exports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from calamity_lab.errors import InvalidValue, repr_of
from calamity_lab.frames.files import Exports, parts_of
from calamity_lab.kernel.arguments import a_list, an_index, is_a, refuse_unknown, span
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.text import format_fields, format_value, html_table, plural

if TYPE_CHECKING:
    from networkx import MultiDiGraph
    from pandas import DataFrame

_SHOWN = 5
_COLUMNS = (
    "position",
    "stream_id",
    "stream_version",
    "event_type",
    "event_id",
    "correlation_id",
    "causation_id",
    "recorded_at",
    "metadata",
)
_HEADINGS = ("position", "stream_id", "stream_version", "event_type", "recorded_at", "command", "event")


class History(Sequence[RecordedEvent], Exports):
    """Recorded events as a frozen sequence, in the order given: ``History(stack.event_store.stream(ALL))``.

    A slice of a history is a history too.
    """

    __slots__ = ("_recorded",)

    _recorded: tuple[RecordedEvent, ...]

    def __init__(self, recorded_events: Iterable[RecordedEvent] = ()) -> None:
        self._recorded = _checked(recorded_events)

    def to_pandas(self, **unknown: Any) -> DataFrame:
        """A DataFrame with one row per event.

        The first columns are those that every event has: ``position``, ``stream_id``, ``stream_version``,
        ``event_type``, ``event_id``, ``correlation_id``, ``causation_id``, ``recorded_at`` (UTC), ``command``
        (the type of the command that caused the event) and ``process_manager`` (the instance that sent the
        command, if one did). The metadata of the command follows, as ``metadata.user``.

        Then the fields of the events follow, by name. Where an event has no such field, or None in it, the
        value is missing (NaN, NA, NaT or None, by the dtype).

        - int is ``int64``, or ``Int64`` if values are missing; beyond 64 bits Python's own int (``object``)
        - float is ``float64``: NaN and a missing value look alike. An int among floats, or in a field that is
          annotated as ``float``, is a float
        - bool is ``boolean``, str is ``str``, timedelta is ``timedelta64``
        - datetime is ``datetime64`` in microseconds: in UTC if it has a time zone, else unchanged
        - an Enum is a category of its members, as stores write them: the values if all are texts or all are
          whole numbers, else the names
        - everything else stays a Python object (``object``): Decimal, date, lists, records, subclasses of the
          above, and fields that hold values of several kinds

        Fields of one name share a column if their values are of one kind. Otherwise each event type has its
        own column, as ``FundsDeposited.amount``; so does a field with the name of a column above.
        """
        refuse_unknown("to_pandas()", unknown, ())
        from calamity_lab.frames.tables import recorded_frame

        return recorded_frame(self._recorded)

    def rows(self) -> Iterator[dict[str, Any]]:
        """One dict per event, with the fields of the event under ``event``."""
        for recorded in self._recorded:
            yield {**{name: getattr(recorded, name) for name in _COLUMNS}, "event": parts_of(recorded.event)}

    def to_networkx(self, **unknown: Any) -> MultiDiGraph[str]:
        """Commands and events as a graph of causes; see `calamity_lab.figures.to_networkx`.

        A history does not hold which event a process manager answered with a command. A trace does:
        ``lab.to_networkx()`` has those edges too.
        """
        refuse_unknown("to_networkx()", unknown, ())
        from calamity_lab.views.tables import causes_of_events

        return causes_of_events(self._recorded).to_networkx()

    @overload
    def __getitem__(self, index: int) -> RecordedEvent: ...
    @overload
    def __getitem__(self, index: slice) -> History: ...
    def __getitem__(self, index: int | slice) -> RecordedEvent | History:
        if type(index) is slice:
            span(index, len(self))
            return History(self._recorded[index])
        if is_a(index, str):
            asked = repr_of(index)
            raise InvalidValue(
                f"history[{asked}]: an event has an index, as in history[0]. For the events of a stream: "
                f"lab.select({asked}), or [each for each in history if each.stream_id == {asked}]"
            )
        return self._recorded[an_index("history[index]", index, len(self), "event")]

    def __len__(self) -> int:
        return len(self._recorded)

    def __iter__(self) -> Iterator[RecordedEvent]:
        return iter(self._recorded)

    def __eq__(self, other: Any) -> bool:
        return self._recorded == other._recorded if type(other) is History else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(recorded.event_id for recorded in self._recorded))

    def __repr__(self) -> str:
        if not self._recorded:
            return "History(no events)"
        first, last = self._recorded[0].position, self._recorded[-1].position
        where = f"position {first:,}" if len(self) == 1 else f"positions {first:,} to {last:,}"
        return f"History({plural(len(self), 'event')}, {where})"

    def _repr_html_(self) -> str:
        left_out = len(self) - 2 * _SHOWN
        if left_out <= 1:
            rows = [_row(recorded) for recorded in self._recorded]
        else:
            gap = ("…", f"{plural(left_out, 'event')} more") + ("",) * (len(_HEADINGS) - 2)
            first, last = self._recorded[:_SHOWN], self._recorded[-_SHOWN:]
            rows = [*map(_row, first), gap, *map(_row, last)]
        return html_table(_HEADINGS, rows, plural(len(self), "event") if len(self) else "no events")


def _row(recorded: RecordedEvent) -> tuple[str, ...]:
    return (
        f"{recorded.position:,}",
        format_value(recorded.stream_id, 60),
        f"{recorded.stream_version:,}",
        recorded.event_type,
        str(recorded.recorded_at),
        format_value(recorded.metadata.get("command", "")),
        format_fields(recorded.event, 160),
    )


def _checked(recorded_events: Iterable[RecordedEvent]) -> tuple[RecordedEvent, ...]:
    if type(recorded_events) is tuple and set(map(type, recorded_events)) <= {RecordedEvent}:
        return recorded_events
    return tuple(a_list("History(recorded_events)", recorded_events, _SOURCE, of=RecordedEvent))


_SOURCE = "History(store.stream(ALL)), or lab.history"
