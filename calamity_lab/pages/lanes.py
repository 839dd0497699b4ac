"""Everything that ever happened in the lanes, window by window, for a page that chooses its own windows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from calamity_lab.trace.trace import Trace
from calamity_lab.views.timeline import MOST_LANES, LaneRow, Mark, timeline
from calamity_lab.widgets.patches import plain

# Not many, so that a window's own bounds of how much it tells are seldom reached.
_WIDTH = 40


def lanes(trace: Trace) -> dict[str, Any]:
    """The lanes, those that recorded anything first and in order, and the marks of all windows in order.

    ``known`` of the lanes recorded something; up to ``most`` of these are always shown.
    """
    rows: dict[str, LaneRow] = {}
    marks: dict[tuple[str, Mark], None] = {}
    for first in range(0, max(len(trace.index.events), 1), _WIDTH):
        view = timeline(trace, trace.last, first=first, width=_WIDTH)
        rows.update((lane.stream_id, lane) for lane in view.lanes)
        # A refusal between two windows is seen in both.
        for mark in view.marks:
            marks[view.lanes[mark.lane].stream_id, replace(mark, lane=0)] = None
    return _numbered(trace, rows, marks)


def _numbered(trace: Trace, rows: dict[str, LaneRow], marks: dict[tuple[str, Mark], None]) -> dict[str, Any]:
    places = trace.index.places
    ordered = sorted(rows, key=lambda stream_id: places.get(stream_id, len(places)))
    number = {stream_id: n for n, stream_id in enumerate(ordered)}
    return {
        "most": MOST_LANES,
        "known": sum(stream_id in places for stream_id in ordered),
        "lanes": [plain(rows[stream_id]) for stream_id in ordered],
        "marks": [{**plain(mark), "lane": number[stream_id]} for stream_id, mark in marks],
    }
