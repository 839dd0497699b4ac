"""What still pictures are drawn on: white paper with dark ink, so that it reads on any background.

Styles stand in the elements, because notebooks that are not trusted lose their style sheets.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from calamity_lab.text import escape_html, escape_xml
from calamity_lab.views.instance_status import Standing

INK, SOFT, LINE, ACCENT, LATER = "#1c2229", "#5a6572", "#dfe2e7", "#1857b6", "#8c95a0"
FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
SHEET = (
    f"background:#ffffff;color:{INK};border:1px solid {LINE};border-radius:8px;padding:10px 14px;"
    f"max-width:900px;font-family:{FONT};font-size:13px;line-height:1.45;text-align:left;overflow-x:auto"
)
_CELL = (
    f"padding:3px 14px 3px 0;border:0;border-bottom:1px solid {LINE};"
    f"text-align:left;vertical-align:top;background:#ffffff;color:{INK}"
)
_HEADING = f"{_CELL};color:{SOFT};font-weight:600"


def sheet(token: str, body: str) -> str:
    """A still picture as one element; while its widget lives, the widget hides it by the token."""
    # Where a trusted notebook is opened without its kernel, the live output has only an error to show.
    rule = (
        ".jp-OutputArea-child:has(+ .jp-OutputArea-child [data-calamity-still]):not(:has(.cl-root))"
        " > .jupyter-widgets.jp-OutputArea-output { display: none; }"
    )
    return (
        f'<div class="calamity-still" data-calamity-still="{escape_html(token)}" style="{SHEET}">'
        f"<style>{rule}</style>{body}</div>"
    )


def stand_in(token: str, body: str) -> str:
    """A still picture of a widget that lives elsewhere on the page, which hides it as long as it does."""
    name = escape_html(token)
    return f'<div class="calamity-still" data-calamity-docked="{name}" style="{SHEET}">{body}</div>'


def heading(text: str) -> str:
    """The title of a part."""
    return f'<div style="margin:10px 0 4px;font-weight:600">{escape_html(text)}</div>'


def line(text: str, *, soft: bool = False) -> str:
    """A line of text; soft, where it only goes with another."""
    return f'<div style="color:{SOFT if soft else INK}">{escape_html(text)}</div>'


def folded(title: str, body: str) -> str:
    """A part that is opened by a click, without a script."""
    summary = f'<summary style="font-weight:600;cursor:pointer">{escape_html(title)}</summary>'
    return f'<details style="margin:8px 0 0">{summary}{body}</details>'


def table(headings: Sequence[str], rows: Iterable[tuple[Sequence[str], bool]]) -> str:
    """A table whose cells are HTML already; each row tells whether it is yet to come."""
    head = "".join(f'<th scope="col" style="{_HEADING}">{escape_html(text)}</th>' for text in headings)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}{_fade(later)}">{cell}</td>' for cell in cells) + "</tr>"
        for cells, later in rows
    )
    return (
        f'<table style="border-collapse:collapse;margin:0;font-size:12px;background:#ffffff;color:{INK}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def more(total: int, shown: int, noun: str) -> str:
    """How many are not shown, if any."""
    return line(f"and {total - shown:,} more {noun}", soft=True) if total > shown else ""


def image(svg: str, alt: str, width: int) -> str:
    """A drawing as an image, so that nothing in it can be more than a picture."""
    encoded = b64encode(svg.encode()).decode()
    return (
        f'<img src="data:image/svg+xml;base64,{encoded}" alt="{escape_html(alt)}" '
        f'style="display:block;width:100%;max-width:{width}px;height:auto;margin:4px 0" />'
    )


def svg(width: float, height: float, body: str) -> str:
    """A drawing of this size."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" font-family="{FONT}" font-size="12" fill="{INK}">'
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>{body}</svg>'
    )


def text(
    x: float, y: float, content: str, *, fill: str = INK, anchor: str = "start", size: float = 12
) -> str:
    """A text in a drawing."""
    return (
        f'<text x="{x:g}" y="{y:g}" fill="{fill}" font-size="{size:g}" text-anchor="{anchor}">'
        f"{escape_xml(content)}</text>"
    )


def fitted(content: str, length: int) -> str:
    """A text cut to a length, at the end."""
    return content if len(content) <= length else f"{content[: length - 1]}…"


def _fade(later: bool) -> str:
    return f";color:{LATER}" if later else ""


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


class Sign(NamedTuple):
    """A colour, and the line in the sign."""

    colour: str
    line: str


_HOURGLASS = "M-2.6-3.6H2.6M-2.6 3.6H2.6M-2-3.4C-2-1 2 1 2 3.4M2-3.4C2-1-2 1-2 3.4"

STANDINGS: Mapping[Standing, Sign] = {
    "done": Sign("#1b6b38", "M-3.4.2-1 2.6 3.6-2.6"),
    "in flight": Sign("#1857b6", "M-3.6 0H2.8M.2-2.8 3.2 0 .2 2.8"),
    "refused": Sign("#b3261e", "M-2.7-2.7 2.7 2.7M2.7-2.7-2.7 2.7"),
    "dropped": Sign("#5a6572", "M-3 0H3"),
    "waited for": Sign("#a34a00", _HOURGLASS),
    "waiting": Sign("#a34a00", _HOURGLASS),
    "overdue": Sign("#8a5300", "M0-3.6V.8M0 3.2V3.4"),
}


def sign(standing: Standing, x: float, y: float) -> str:
    """The sign of a standing at a place: a ring, or a triangle for what is overdue, with a line in it."""
    colour, line = STANDINGS[standing]
    around = "M0-7.6 7.8 6.4H-7.8z" if standing == "overdue" else "M-7 0a7 7 0 1 0 14 0 7 7 0 1 0-14 0"
    lines = f'stroke="{colour}" stroke-linejoin="round" stroke-linecap="round"'
    return (
        f'<g transform="translate({x:g} {y:g})" {lines}>'
        f'<path d="{around}" fill="#ffffff" stroke-width="1.3"/>'
        f'<path d="{line}" fill="none" stroke-width="1.6"/></g>'
    )
