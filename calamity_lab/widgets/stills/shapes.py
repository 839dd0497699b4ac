"""The shapes and colours of the kinds, as in the live views: never told by the colour alone."""

from __future__ import annotations

from calamity_lab.widgets.stills.paper import LATER

COLOURS = {
    "command": ("#1857b6", "#e4eefc"),
    "event": ("#a34a00", "#fdebd8"),
    "process manager": ("#7137a8", "#f2e8fb"),
    "aggregate": ("#6f5900", "#fbf3cd"),
    "refused": ("#b3261e", "none"),
}
SHAPES = {
    "event": "M-5-5H5V2.2L2.2 5H-5z",
    "started": "M-3.8-5.2 5.6 0l-9.4 5.2z",
    "continued": "M0-5.2 5.2 0 0 5.2-5.2 0z",
    "stopped": "M-4.6-4.6h9.2v9.2h-9.2z",
    "ignored": "M-4.8 0a4.8 4.8 0 1 0 9.6 0 4.8 4.8 0 1 0-9.6 0",
    "refused": "M-4.2-4.2l8.4 8.4M4.2-4.2l-8.4 8.4",
    "aggregate": "M-5.4 0a5.4 5.4 0 1 0 10.8 0 5.4 5.4 0 1 0-10.8 0",
    "process manager": "M-3-5.2H3L6 0 3 5.2H-3L-6 0z",
}


def glyph(kind: str, x: float, y: float) -> str:
    """The sign of a lane's kind."""
    stroke, fill = COLOURS[kind]
    return _path(SHAPES[kind], x, y, f'fill="{fill}" stroke="{stroke}" stroke-width="1.3"')


def mark(kind: str, x: float, y: float, *, is_past: bool) -> str:
    """The sign of something that happened, or of what is yet to come."""
    stroke, _ = COLOURS.get(kind, COLOURS["process manager"])
    colour = stroke if is_past else LATER
    fill = colour if is_past and kind not in {"ignored", "refused"} else "#ffffff"
    dash = ' stroke-dasharray="2.5 2"' if kind == "ignored" else ""
    if kind == "refused":
        return _path(SHAPES[kind], x, y, f'fill="none" stroke="{colour}" stroke-width="2.2"')
    return _path(SHAPES[kind], x, y, f'fill="{fill}" stroke="{colour}" stroke-width="1.3"{dash}')


def _path(d: str, x: float, y: float, dress: str) -> str:
    return f'<path d="{d}" transform="translate({x:.4g} {y:.4g})" {dress} stroke-linejoin="round"/>'
