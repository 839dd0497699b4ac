"""What a person picks out of a run at a widget, as a selection that all views show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calamity_lab.errors import InvalidValue
from calamity_lab.trace.selection import Selection
from calamity_lab.trace.trace import Trace
from calamity_lab.widgets.sight import Sight


def select(sight: Sight, message: Mapping[str, Any]) -> None:
    """Pick out what a message names, and go there where it says ``go``; without a name, nothing is picked.

    ``place`` is an event's place among all, from 1, or a moment, negated; with ``until`` the events from the
    one place to the other. ``position`` is an event's own, ``stream_id`` a stream's.
    """
    stepper = sight.desk.stepper
    selection = selection_from(stepper.trace, message)
    stepper.select(selection)
    moment = _moment(stepper.trace, message)
    # What was recorded before the trace began is true at every moment.
    if message.get("go") is True and 0 < moment <= stepper.trace.last:
        sight.hush()
        stepper.goto(moment)


def selection_from(trace: Trace, message: Mapping[str, Any]) -> Selection:
    """What a message names."""
    place, events = _whole(message, "place"), trace.index.events
    if place is not None and place < 0:
        return Selection(moment=-place)
    if place and place <= len(events):
        until = _whole(message, "until")
        last = None if until is None else events[min(max(until, place), len(events)) - 1].position
        return Selection(position=events[place - 1].position, until=last)
    stream_id = message.get("stream_id")
    if stream_id is not None and not isinstance(stream_id, str):
        raise InvalidValue(f"a stream is selected by its id, a text; found {stream_id!r}")
    return Selection(stream_id=stream_id, position=_whole(message, "position"))


def _moment(trace: Trace, message: Mapping[str, Any]) -> int:
    place = _whole(message, "place") or 0
    return trace.index.event_moments[place - 1] if 0 < place <= len(trace.index.events) else -place


def _whole(message: Mapping[str, Any], name: str) -> int | None:
    value = message.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise InvalidValue(f"select needs a whole number as {name!r}; found {value!r}")
    return value
