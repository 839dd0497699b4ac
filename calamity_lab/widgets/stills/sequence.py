"""The sequence diagram as a still picture."""

from __future__ import annotations

from calamity_lab.text import plural
from calamity_lab.views.sequence import Message, Participant, SequenceView
from calamity_lab.widgets.stills.paper import ACCENT, LATER, LINE, SOFT, fitted, image, line, svg, text
from calamity_lab.widgets.stills.shapes import COLOURS, SHAPES

ROW, NOTE, GAP, TOP, WIDTH = 30, 24, 8, 44, 860
LEAST, MOST = 106, 190

_LOOKS = {
    "pending": "command", "decided": "event", "caught up": "event",
    "conflict": "refused", "more": "aggregate",
    "started": "process manager", "continued": "process manager", "stopped": "process manager",
    "ignored": "process manager",
}  # fmt: skip
_SIGNS = {
    **SHAPES,
    "command": "M-6-4.5H2.2L6 0 2.2 4.5H-6z",
    "user": "M-4.6 5.6c0-3.8 1.8-5.6 4.6-5.6s4.6 1.8 4.6 5.6zM-2.5-3.3a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0",
    "event store": "M-4.6-3.6c0-2.5 9.2-2.5 9.2 0v7.2c0 2.5-9.2 2.5-9.2 0z",
}
_REACTIONS = frozenset({"started", "continued", "stopped", "ignored"})


def drawn(view: SequenceView) -> str:
    """The messages in order as an image, with a text for those who cannot see it."""
    if not view.messages:
        return line("Nothing is here yet: no command was sent.", soft=True)
    column = min(max(WIDTH // len(view.participants), LEAST), MOST)
    places, y = [], float(TOP)
    for message in view.messages:
        y += GAP if message.kind in {"command", "pending"} else 0
        places.append(y)
        y += ROW + (NOTE if message.note else 0)
    width = max(column * len(view.participants), 420)
    heads = "".join(_head(each, (n + 0.5) * column, column, y) for n, each in enumerate(view.participants))
    rows = "".join(_row(each, at, column, width) for each, at in zip(view.messages, places, strict=True))
    picture = image(svg(width, y + 8, heads + rows), _told(view), int(width))
    left = view.total - view.commands
    return picture + (line(f"{plural(left, 'command')} more in this cascade", soft=True) if left else "")


def _told(view: SequenceView) -> str:
    """The picture in words."""
    past = sum(each.tense != "future" for each in view.messages)
    told = plural(len(view.messages), "message")
    return f"Sequence of {view.title}: {told}, {past:,} of them up to this moment"


def _head(participant: Participant, x: float, column: float, bottom: float) -> str:
    stroke, fill = COLOURS.get(participant.kind, (SOFT, "#f5f6f8"))
    own = participant.name.removeprefix(f"{participant.category}-")
    dress = f'transform="translate({x:g} 9)" fill="{fill}" stroke="{stroke}"'
    sign = f'<path d="{_SIGNS[participant.kind]}" {dress}/>'
    above = participant.category if own != participant.name else ""
    length = int(column // 7)
    return (
        f'<path d="M{x:g} {TOP - 2}V{bottom:g}" stroke="{LINE}" stroke-dasharray="2 3"/>{sign}'
        + text(x, 26, fitted(above, length), fill=SOFT, anchor="middle", size=10)
        + text(x, 38 if above else 28, fitted(own, length), anchor="middle")
    )


def _row(message: Message, y: float, column: float, width: float) -> str:
    stroke, _ = COLOURS[_LOOKS.get(message.kind, message.kind)]
    colour = LATER if message.tense == "future" else stroke
    start, end = (message.source + 0.5) * column, (message.target + 0.5) * column
    high = ROW + (NOTE if message.note else 0)
    band = f'<rect x="0" y="{y:g}" width="{width:g}" height="{high}" fill="{ACCENT}" fill-opacity="0.1"/>'
    body = (
        _turned(message, y, start, colour, width) if start == end else _arrow(message, y, start, end, colour)
    )
    note = text(
        start, y + ROW + 13, fitted(message.note, 90), fill=colour, size=11, anchor=_anchor(start, width)
    )
    return (band if message.tense == "now" else "") + body + (note if message.note else "")


def _anchor(x: float, width: float) -> str:
    return "start" if x < width / 3 else "end" if x > 2 * width / 3 else "middle"


def _arrow(message: Message, y: float, start: float, end: float, colour: str) -> str:
    at, way = y + 21, 1 if end > start else -1
    is_reaction, is_lost = message.kind in _REACTIONS, message.kind in {"refused", "conflict"}
    dash = ' stroke-dasharray="4 3"' if is_reaction or is_lost or message.kind == "caught up" else ""
    tip = end - way * (8 if is_reaction or is_lost else 1)
    head = "" if is_lost else f'<path d="M{tip:g} {at:g}l{-7 * way}-3.5v7z" fill="{colour}"/>'
    x, turned = (end, "") if is_reaction or is_lost else (start, f" scale({way} 1)")
    sign = _sign(message, x, at, colour, turned if message.kind == "command" else "")
    return (
        f'<path d="M{start:g} {at:g}H{tip - way * 4:g}" stroke="{colour}" stroke-width="1.4"{dash}/>'
        + head
        + sign
        + text(
            (start + end) / 2,
            at - 6,
            fitted(message.label, 40),
            fill=_ink(message),
            anchor="middle",
            size=11.5,
        )
    )


def _turned(message: Message, y: float, x: float, colour: str, width: float) -> str:
    """What is told by one to itself: a loop, and its text on the side where there is more room."""
    side, anchor = (-1, "end") if x > width / 2 else (1, "start")
    label, ink = fitted(message.label, 40), _ink(message)
    if message.kind == "more":
        return text(x + side * 8, y + 19, label, fill=SOFT, size=11.5, anchor=anchor)
    way = f"M{x + side * 6:g} {y + 13:g}h{side * 16}v12h{side * -10}"
    loop = f'<path d="{way}" fill="none" stroke="{colour}" stroke-width="1.4"/>'
    head = f'<path d="M{x + side * 5:g} {y + 25:g}l{side * 7}-3.5v7z" fill="{colour}"/>'
    told = text(x + side * 28, y + 19, label, fill=ink, size=11.5, anchor=anchor)
    return loop + head + _sign(message, x, y + 13, colour, "") + told


def _sign(message: Message, x: float, y: float, colour: str, turned: str) -> str:
    if message.kind == "caught up":
        return ""
    shape = _SIGNS[message.kind if message.kind in _SIGNS else _LOOKS[message.kind]]
    is_empty = message.tense == "future" or message.kind in {"decided", "pending", "ignored"}
    is_cross = message.kind in {"refused", "conflict"}
    fill = "none" if is_cross else "#ffffff" if is_empty else colour
    return (
        f'<path d="{shape}" transform="translate({x:g} {y:g}){turned}" fill="{fill}" stroke="{colour}" '
        f'stroke-width="{2.2 if is_cross else 1.2}" stroke-linejoin="round"/>'
    )


def _ink(message: Message) -> str:
    return SOFT if message.tense == "future" else "#1c2229"
