"""The history of one field, asked for by the names of its stream and of itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import islice

from calamity_lab.errors import InvalidValue
from calamity_lab.text import format_value
from calamity_lab.trace.differences import ABSENT
from calamity_lab.trace.trace import Trace
from calamity_lab.views.inner import state_at, state_fields
from calamity_lab.views.revisions import Revisions
from calamity_lab.views.state_history import FieldHistory, field_history

_NO_TYPES: Mapping[str, type] = {}
_MOST_NAMED = 8


def history_of(
    trace: Trace, cursor: int, stream_id: str, field: str, *, types: Mapping[str, type] = _NO_TYPES
) -> FieldHistory:
    """What a field of a stream's state was as of each version, as in ``"Order-7"``, ``"lines[0].price"``."""
    index = trace.index
    place = index.places.get(stream_id) if isinstance(stream_id, str) else None
    if place is None:
        raise InvalidValue(f"there is no stream {stream_id!r} in this run; {_named(_streams(trace))}")
    revisions = Revisions(trace, index.lanes[place], types)
    now = revisions.at(max(revisions.first, revisions.upto(cursor))).state
    last = revisions.at(revisions.last).state
    if all(state is not None and state_at(state, field) is ABSENT for state in (now, last)):
        raise InvalidValue(f"{stream_id} has no field {field!r}; {_named(state_fields(last))}")
    return field_history(revisions, field, cursor)


def _streams(trace: Trace) -> list[str]:
    lanes = trace.index.lanes
    return [lane.identity.stream_id for lane in lanes.iterate(0, len(lanes))]


def _named(names: Collection[str]) -> str:
    if not names:
        return "there is none"
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return f"there is {', '.join(format_value(name, 60) for name in islice(names, _MOST_NAMED))}{more}"
