"""What still pictures are drawn on: white paper with dark ink, so that it reads on any background.

Styles are in the elements, because notebooks that are not trusted lose their style sheets.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence

from calamity_lab.text import escape_html, escape_xml
from calamity_lab.views.looks import COLOURS, FONT, LOOKS, SIGNS, Status
from calamity_lab.views.scenes import cut
from calamity_lab.views.sequence_scene import Shape, Words

PAPER, SHADE, INK, SOFT, LINE, ACCENT, LATER = (
    COLOURS[name].light for name in ("paper", "shade", "ink", "ink-soft", "line", "accent", "later")
)
SHEET = (
    f"background:{PAPER};color:{INK};border:1px solid {LINE};border-radius:8px;padding:10px 14px;"
    f"max-width:900px;font-family:{FONT};font-size:13px;line-height:1.45;text-align:left;overflow-x:auto"
)
_CELL = (
    f"padding:3px 14px 3px 0;border:0;border-bottom:1px solid {LINE};"
    f"text-align:left;vertical-align:top;background:{PAPER};color:{INK}"
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
    """A table whose cells are HTML already; each row says whether it is later than the cursor."""
    head = "".join(f'<th scope="col" style="{_HEADING}">{escape_html(text)}</th>' for text in headings)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}{_fade(later)}">{cell}</td>' for cell in cells) + "</tr>"
        for cells, later in rows
    )
    return (
        f'<table style="border-collapse:collapse;margin:0;font-size:12px;background:{PAPER};color:{INK}">'
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
        f'<rect width="{width:g}" height="{height:g}" fill="{PAPER}"/>{body}</svg>'
    )


def text(
    x: float, y: float, content: str, *, fill: str = INK, anchor: str = "start", size: float = 12
) -> str:
    """A text in a drawing."""
    return (
        f'<text x="{x:g}" y="{y:g}" fill="{fill}" font-size="{size:g}" text-anchor="{anchor}">'
        f"{escape_xml(content)}</text>"
    )


def drawn(part: Shape | Words) -> str:
    """A part of a scene."""
    if isinstance(part, Words):
        words = escape_xml(cut(part.text, part.room, part.size))
        weight = ' font-weight="600"' if part.is_bold else ""
        return (
            f'<text x="{part.x:g}" y="{part.y:g}" fill="{hue(part.colour)}" font-size="{part.size:g}" '
            f'text-anchor="{part.anchor}" stroke="{hue(part.behind)}" stroke-width="3" paint-order="stroke" '
            f'stroke-linejoin="round"{weight}>{words}</text>'
        )
    dash = f' stroke-dasharray="{part.dash}"' if part.dash else ""
    mirrored = " scale(-1 1)" if part.is_mirrored else ""
    stroke, fill = (hue(name) if name else "none" for name in (part.stroke, part.fill))
    return (
        f'<path d="{part.path}" transform="translate({part.x:g} {part.y:g}){mirrored}" fill="{fill}" '
        f'stroke="{stroke}" stroke-width="{part.width:g}"{dash} stroke-linejoin="round"/>'
    )


def fitted(content: str, length: int) -> str:
    """A text cut to a length, at the end."""
    return content if len(content) <= length else f"{content[: length - 1]}…"


def _fade(later: bool) -> str:
    return f";color:{LATER}" if later else ""


def hue(name: str) -> str:
    """A colour by its name."""
    return COLOURS[name].light


def stroke(kind: str) -> str:
    """The colour of a kind's lines."""
    return hue(LOOKS[kind].colour)


def pale(kind: str) -> str:
    """The pale colour of a kind, as a background of text."""
    return hue(LOOKS[kind].soft)


def shape(kind: str, x: float, y: float, *, is_past: bool = True) -> str:
    """The shape of a kind; without colour inside it, and grey, where it is yet to come."""
    look = LOOKS[kind]
    ink = look.colour if is_past else "later"
    fill = {"solid": ink, "soft": look.soft, "empty": "paper", "none": ""}[look.fill]
    fill, width = ("", 2.2) if look.fill == "none" else (fill if is_past else "paper", 1.3)
    return drawn(Shape(look.shape, x, y, ink, fill, width, "2.5 2" if look.fill == "empty" else ""))


def status_colour(status: Status) -> str:
    """The colour of a status."""
    return hue(SIGNS[status].colour)


def sign(status: Status, x: float, y: float) -> str:
    """The sign of a status: a line in an outline."""
    lines = f'stroke="{status_colour(status)}" stroke-linejoin="round" stroke-linecap="round"'
    return (
        f'<g transform="translate({x:g} {y:g})" {lines}>'
        f'<path d="{SIGNS[status].outline}" fill="{PAPER}" stroke-width="1.3"/>'
        f'<path d="{SIGNS[status].line}" fill="none" stroke-width="1.6"/></g>'
    )
