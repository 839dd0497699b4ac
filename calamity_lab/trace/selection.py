"""The selection: what every view highlights. It does not move the cursor."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from calamity_lab.errors import InvalidValue, repr_of
from calamity_lab.kernel.arguments import a_whole_number, is_a
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.trace.trace import Trace


class Selection(NamedTuple):
    """A stream, an event, the events between two positions, or the step of a moment; or nothing.

    Of an event ``position`` is its own; of several it is the first one's, and ``until`` the last one's. With
    a ``stream_id`` and a ``position`` it is what the event changed in that projection.
    """

    stream_id: str | None = None
    position: int | None = None
    until: int | None = None
    moment: int | None = None


NOTHING = Selection()


def selection_of(trace: Trace, what: tuple[Any, ...]) -> Selection:
    """The selection for a stream id, for a position or for two positions; without arguments, no selection."""
    given = tuple([_plain(each) for each in what])
    match given:
        case ():
            return NOTHING
        case (str() as stream_id,):
            if trace.index.known_since(stream_id) is None:
                known = ", ".join(lane.identity.stream_id for lane in trace.index.lanes.iterate(0, 5))
                raise InvalidValue(
                    f"there is no stream {repr_of(stream_id)} on this branch; there are: {known or 'none'}"
                )
            return Selection(stream_id=stream_id)
        case (int() as position,) if not isinstance(position, bool):
            selection = Selection(position=position)
        case (int() as first, int() as last) if not isinstance(first, bool) and not isinstance(last, bool):
            selection = Selection(position=first, until=last)
        case _:
            raise InvalidValue(
                f"select{repr_of(what)}: give a stream id, as in select('BankAccount-1'), the position of an "
                "event, as in select(12), or the first and the last position, as in select(3, 9)"
            )
    if not any(True for _ in selected_events(trace, selection)):
        raise InvalidValue(
            f"select{repr_of(what)}: there is no such event on this branch; its positions go up to "
            f"{trace.index.last_position:,}"
        )
    return selection


def _plain(given: Any) -> Any:
    """A text or a whole number as Python's own; anything else as None."""
    if is_a(given, str):
        return str.__str__(given)
    with suppress(InvalidValue):
        return a_whole_number("select(position)", given, low=None)
    return None


def selected_events(trace: Trace, selection: Selection) -> Iterator[RecordedEvent]:
    """The events of a selection, past and future: of a step those that it recorded."""
    events, (stream_id, position, until, moment) = trace.index.events, selection
    if position is not None:
        last = position if until is None else until
        start = bisect_left(events, position, key=lambda event: event.position)
        stop = bisect_right(events, last, key=lambda event: event.position)
        yield from events.iterate(start, stop)
    elif moment is not None:
        step = trace[moment].step if 0 < moment <= trace.last else None
        yield from step.recorded if step is not None else ()
    elif stream_id is not None:
        changes = trace.index.projections.histories.get(stream_id)
        if changes is not None:
            yield from (events[change.event - 1] for change in changes)
        else:
            yield from (event for event in events if event.stream_id == stream_id)
