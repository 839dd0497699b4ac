"""The timeline as a still picture."""

from __future__ import annotations

from calamity_lab.text import plural
from calamity_lab.views.timeline import Mark, TimelineView
from calamity_lab.widgets.stills.paper import ACCENT, LINE, SOFT, fitted, image, line, svg, text
from calamity_lab.widgets.stills.shapes import glyph, mark

LANE, LABEL, TOP, WIDTH = 24, 190, 22, 860
EVENTS = 36
"""So many events are in the picture."""


def drawn(view: TimelineView) -> str:
    """The lanes and marks as an image, with a text for those who cannot see it."""
    if not view.lanes:
        return line("No event has been recorded yet.", soft=True)
    height = TOP + LANE * len(view.lanes) + 4
    alt = (
        f"Timeline: {plural(view.total, 'event')} in {plural(len(view.lanes), 'lane')}, "
        f"{view.now:,} of them up to this moment"
    )
    return image(svg(WIDTH, height, _body(view, height)), alt, WIDTH)


def _body(view: TimelineView, height: float) -> str:
    step = (WIDTH - LABEL - 8) / max(view.width, 1)
    now = LABEL + min(max(view.now - view.first, 0), view.width) * step
    parts = [f'<rect x="{now:.4g}" y="0" width="{WIDTH - now:.4g}" height="{height}" fill="#f5f6f8"/>']
    for number, lane in enumerate(view.lanes):
        y = TOP + (number + 0.5) * LANE
        parts += [
            f'<path d="M{LABEL} {y}H{WIDTH}" stroke="{LINE}"/>',
            glyph(lane.kind, 10, y),
            text(22, y + 4, fitted(lane.stream_id, 24)),
        ]
    until = min(view.first + view.width, view.total)
    parts += [_ordinal(view, n, step) for n in range(view.first + 2, until + 1, 2)]
    parts.append(f'<path d="M{now:.4g} 0V{height}" stroke="{ACCENT}" stroke-width="1.5"/>')
    parts += [_mark(view, each, step) for each in view.marks]
    return "".join(parts)


def _x(view: TimelineView, place: float, step: float) -> float:
    return LABEL + (place - view.first - 0.5) * step


def _ordinal(view: TimelineView, place: int, step: float) -> str:
    return text(round(_x(view, place, step), 1), 13, f"{place:,}", fill=SOFT, anchor="middle", size=11)


def _mark(view: TimelineView, each: Mark, step: float) -> str:
    return mark(each.kind, _x(view, each.x, step), TOP + (each.lane + 0.5) * LANE, is_past=each.is_past)
