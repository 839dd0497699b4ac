"""What ever happened in the lanes, and what led to what, for a page that draws its own part of it."""

from __future__ import annotations

from typing import Any

from calamity_lab.trace.trace import Trace
from calamity_lab.views.arrows import links
from calamity_lab.views.chart import Charts
from calamity_lab.views.selected import told
from calamity_lab.widgets.patches import plain


def lanes(trace: Trace) -> dict[str, Any]:
    """The chart as the front end takes it, with a sentence for each step, and each cause with its effect.

    Causes and effects are places: an event's among all, from 1, or a moment, negated.
    """
    chart = Charts().of(trace)
    columns = chart.columns
    begun = trace[0].run.progress
    cascades = {*trace.index.cascades, *([] if begun is None else [begun.pending.correlation_id])}
    return {
        "kept": [0, 0, 0, 0],
        "names": columns.names,
        "lanes": [plain(lane) for lane in columns.lanes],
        "count": [chart.sizes.events, chart.sizes.steps],
        "columns": [list(column) for column in (*columns.events, *columns.steps)],
        "told": [told(trace, -moment) for moment in columns.steps.moments],
        "links": [list(link) for correlation in sorted(cascades) for link in links(trace, correlation)],
    }
