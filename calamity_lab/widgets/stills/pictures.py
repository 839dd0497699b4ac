"""The timeline, the process graph and the sequence as still pictures."""

from __future__ import annotations

from collections.abc import Iterator

from calamity_lab.text import plural
from calamity_lab.views.instance_status import StatusMark
from calamity_lab.views.lanes import AHEAD, Window
from calamity_lab.views.looks import DRAWN_AS, LOOKS, REACTIONS, SIGNS, Status
from calamity_lab.views.process_graph import Edge, Node, ProcessGraphView
from calamity_lab.views.scenes import BOX_HIGH, BOX_WIDE, NAME_ROOM, Box, Stroke, Way, cut, text_width
from calamity_lab.views.sequence import Message, Participant, SequenceView
from calamity_lab.widgets.stills.paper import (
    ACCENT,
    INK,
    LATER,
    LINE,
    PAPER,
    SHADE,
    SOFT,
    fitted,
    ground,
    hue,
    image,
    line,
    shape,
    sign,
    status_colour,
    stroke,
    svg,
    text,
)

_LANE, _LABEL, _LANES_TOP, _LANES_WIDE = 24, 190, 22, 860
LANES_EVENTS = 24
"""So many events are in the picture."""


def timeline(view: Window) -> str:
    """The lanes and marks as an image, with a text for those who cannot see it."""
    if not view.rows:
        return line("No event has been recorded yet.", soft=True)
    height = _LANES_TOP + _LANE * len(view.rows) + 4
    alt = (
        f"Timeline: {plural(view.total, 'event')} in {plural(len(view.rows), 'lane')}, "
        f"{view.now:,} of them up to this moment"
    )
    return image(svg(_LANES_WIDE, height, _body(view, height)), alt, _LANES_WIDE)


def _body(view: Window, height: float) -> str:
    now = min(max(_x(view, view.cursor), _LABEL), _LANES_WIDE)
    parts = [f'<rect x="{now:.4g}" y="0" width="{_LANES_WIDE - now:.4g}" height="{height}" fill="{SHADE}"/>']
    for number, row in enumerate(view.rows):
        y = _LANES_TOP + (number + 0.5) * _LANE
        parts += [
            f'<path d="M{_LABEL} {y}H{_LANES_WIDE}" stroke="{LINE}"/>',
            shape(row.kind, 10, y),
            text(22, y + 4, fitted(row.name, 24)),
        ]
    until = min(view.first + view.width, view.total)
    parts += [_ordinal(view, n) for n in range(view.first + 2, until + 1, 2)]
    parts.append(f'<path d="M{now:.4g} 0V{height}" stroke="{ACCENT}" stroke-width="1.5"/>')
    for mark in view.marks:
        y = _LANES_TOP + (mark.lane + mark.within) * _LANE
        parts.append(shape(mark.kind, _x(view, mark.x), y, is_past=mark.moment <= view.moment))
    return "".join(parts)


def _x(view: Window, along: float) -> float:
    unit = (_LANES_WIDE - _LABEL - 8) / (view.width + 0.5)
    return _LABEL + (along - view.first - AHEAD) * unit


def _ordinal(view: Window, event: int) -> str:
    return text(round(_x(view, event), 1), 13, f"{event:,}", fill=SOFT, anchor="middle", size=11)


def process_graph(view: ProcessGraphView) -> str:
    """The graph as an image, how the chosen instance stands above it, and the newest others below."""
    if not view.nodes:
        return line("This model has no process manager.", soft=True)
    scene, marks = view.scene, {mark.key: mark for mark in view.marks}
    edges = {edge.key: edge for edge in view.edges}
    body = "".join(
        text(each.x, 14, each.text, fill=SOFT, anchor="middle", size=11) for each in scene.headings
    )
    # What the instance had to do with lies over the rest.
    for way in sorted(scene.ways, key=lambda way: way.key in marks):
        body += _edge(view, way, edges[way.key], marks.get(way.key))
    for node, box in zip(view.nodes, scene.boxes, strict=True):
        body += _node(view, node, box, marks.get(node.key))
    body += _key(view, scene.height + 10)
    picture = image(svg(scene.width, scene.height + 24, body), _graph_in_words(view), int(scene.width))
    return _stage(view) + picture + _others(view)


def _heading(x: float, label: str) -> str:
    return text(x, 14, label, fill=SOFT, anchor="middle", size=11)


def _stage(view: ProcessGraphView) -> str:
    return line(view.story) if view.story else ""


def _graph_in_words(view: ProcessGraphView) -> str:
    """The picture in words."""
    happened = [node.name for node in view.nodes if node.count]
    return (
        f"Process graph of {view.manager or 'the model'}; happened so far: {', '.join(happened) or 'nothing'}"
    )


def _node(view: ProcessGraphView, node: Node, box: Box, mark: StatusMark | None) -> str:
    look = view.look(node, mark)
    fill = ground(node.kind) if look.is_filled else PAPER
    dress = f'stroke="{hue(look.colour)}" stroke-width="{look.width}"{_dashes(look)}'
    now, count = "now" if view.is_now(node) else "", f"×{node.count:,}" if node.count else ""
    return (
        f'<g transform="translate({box.x:g} {box.y:g})"><path d="{box.outline}" fill="{fill}" {dress}/>'
        + _name(box)
        + text(BOX_WIDE - 2, -4, f"{now} {count}".strip(), fill=SOFT, anchor="end", size=10)
        + ("" if mark is None else _mark(view, node, mark))
        + "</g>"
    )


def _name(box: Box) -> str:
    size, step = (12, 0) if len(box.lines) == 1 else (11, 12)
    lines = [cut(each, NAME_ROOM, size) for each in box.lines]
    return "".join(
        text(BOX_WIDE / 2, 18 - step / 2 + row * step, each, anchor="middle", size=size)
        for row, each in enumerate(lines)
    )


def _dashes(look: Stroke) -> str:
    return f' stroke-dasharray="{look.dash}"' if look.dash else ""


def _mark(view: ProcessGraphView, node: Node, mark: StatusMark) -> str:
    """The sign of a status and its word; at a process manager also the instance."""
    word = view.word(node, mark)
    texts = text(20, -4, word, fill=status_colour(mark.status), size=10) if word else ""
    if node.kind == "process manager" and view.chosen is not None:
        texts += text(26, BOX_HIGH + 11, cut(view.chosen, NAME_ROOM, 10), fill=SOFT, size=10)
    return texts + sign(mark.status, 9, -4)


def _edge(view: ProcessGraphView, way: Way, edge: Edge, mark: StatusMark | None) -> str:
    look, (x, y) = view.edge_look(edge, mark), way.tip
    dress = f'fill="none" stroke="{hue(look.colour)}" stroke-width="{look.width}"{_dashes(look)}'
    head = f"M{x - 7:g} {y - 3.5:g}L{x:g} {y:g} {x - 7:g} {y + 3.5:g}z"
    return f'<path d="{way.line}" {dress}/><path d="{head}" fill="{hue(look.colour)}"/>' + (
        text(*way.word, edge.label, fill=SOFT, size=10) if way.word else ""
    )


def _key(view: ProcessGraphView, y: float) -> str:
    """What the marks mean that can be seen."""
    there = {mark.status for mark in view.marks} - {"waiting"}
    states: list[Status] = [state for state in SIGNS if state in there]
    texts, x = "", 20.0
    for state in states:
        texts += sign(state, x, y) + text(x + 11, y + 4, SIGNS[state].word, fill=SOFT, size=10.5)
        x += 34 + text_width(SIGNS[state].word, 10.5)
    x -= 8
    for path, words in _key_to_lines(view):
        texts += f'<path d="M{x:g} {y:g}{path}/>' + text(x + 26, y + 4, words, fill=SOFT, size=10.5)
        x += 42 + text_width(words, 10.5)
    return texts


def _key_to_lines(view: ProcessGraphView) -> Iterator[tuple[str, str]]:
    """A box or a line from where it is put, with its dress, and what it means."""
    if any(not node.count for node in view.nodes):
        yield (
            f'm0-5h20v10h-20z" fill="none" stroke="{SOFT}" stroke-dasharray="3 2"',
            "possible, has not happened",
        )
    if any(edge.label == "if rejected" for edge in view.edges):
        yield f'h20" stroke="{stroke("rejected")}" stroke-width="1.5"', "sent if a command is rejected"


def _others(view: ProcessGraphView) -> str:
    others = [each for each in view.instances if each.id != view.chosen][:5]
    return "".join(line(f"{each.stream_id}: {each.stage or each.status}", soft=True) for each in others)


_ROW, _NOTE, _GAP, _TOP, _WIDE = 30, 24, 8, 44, 860
_LEAST, _MOST = 106, 190


def sequence(view: SequenceView) -> str:
    """The messages in order as an image, with a text for those who cannot see it."""
    if not view.messages:
        return line("Nothing is here yet: no command was sent.", soft=True)
    column = min(max(_WIDE // len(view.participants), _LEAST), _MOST)
    places, y = [], float(_TOP)
    for message in view.messages:
        y += _GAP if message.kind in {"command", "pending"} else 0
        places.append(y)
        y += _ROW + (_NOTE if message.note else 0)
    width = max(column * len(view.participants), 420)
    heads = "".join(_head(each, (n + 0.5) * column, column, y) for n, each in enumerate(view.participants))
    rows = "".join(_row(each, at, column, width) for each, at in zip(view.messages, places, strict=True))
    picture = image(svg(width, y + 8, heads + rows), _sequence_in_words(view), int(width))
    left = view.total - view.commands
    return picture + (line(f"{plural(left, 'command')} more in this cascade", soft=True) if left else "")


def _sequence_in_words(view: SequenceView) -> str:
    """The picture in words."""
    past = sum(each.tense != "future" for each in view.messages)
    messages = plural(len(view.messages), "message")
    return f"Sequence of {view.title}: {messages}, {past:,} of them up to this moment"


def _head(participant: Participant, x: float, column: float, bottom: float) -> str:
    own = participant.name.removeprefix(f"{participant.category}-")
    sign = shape(participant.kind, x, 9)
    above = participant.category if own != participant.name else ""
    length = int(column // 7)
    return (
        f'<path d="M{x:g} {_TOP - 2}V{bottom:g}" stroke="{LINE}" stroke-dasharray="2 3"/>{sign}'
        + text(x, 26, fitted(above, length), fill=SOFT, anchor="middle", size=10)
        + text(x, 38 if above else 28, fitted(own, length), anchor="middle")
    )


def _row(message: Message, y: float, column: float, width: float) -> str:
    colour = LATER if message.tense == "future" else stroke(DRAWN_AS.get(message.kind, message.kind))
    start, end = (message.source + 0.5) * column, (message.target + 0.5) * column
    high = _ROW + (_NOTE if message.note else 0)
    band = f'<rect x="0" y="{y:g}" width="{width:g}" height="{high}" fill="{ACCENT}" fill-opacity="0.1"/>'
    body = (
        _turned(message, y, start, colour, width) if start == end else _arrow(message, y, start, end, colour)
    )
    note = text(
        start, y + _ROW + 13, fitted(message.note, 90), fill=colour, size=11, anchor=_anchor(start, width)
    )
    return (band if message.tense == "now" else "") + body + (note if message.note else "")


def _anchor(x: float, width: float) -> str:
    return "start" if x < width / 3 else "end" if x > 2 * width / 3 else "middle"


def _arrow(message: Message, y: float, start: float, end: float, colour: str) -> str:
    at, way = y + 21, 1 if end > start else -1
    is_reaction, is_lost = message.kind in REACTIONS, message.kind in {"rejected", "conflict"}
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
    """A message of a participant to itself: a loop, with its text on the side that has more room."""
    side, anchor = (-1, "end") if x > width / 2 else (1, "start")
    label, ink = fitted(message.label, 40), _ink(message)
    if message.kind == "more":
        return text(x + side * 8, y + 19, label, fill=SOFT, size=11.5, anchor=anchor)
    way = f"M{x + side * 6:g} {y + 13:g}h{side * 16}v12h{side * -10}"
    loop = f'<path d="{way}" fill="none" stroke="{colour}" stroke-width="1.4"/>'
    head = f'<path d="M{x + side * 5:g} {y + 25:g}l{side * 7}-3.5v7z" fill="{colour}"/>'
    texts = text(x + side * 28, y + 19, label, fill=ink, size=11.5, anchor=anchor)
    return loop + head + _sign(message, x, y + 13, colour, "") + texts


def _sign(message: Message, x: float, y: float, colour: str, turned: str) -> str:
    if message.kind == "caught up":
        return ""
    drawn = LOOKS[DRAWN_AS.get(message.kind, message.kind)].shape
    is_empty = message.tense == "future" or message.kind in {"decided", "pending", "ignored"}
    is_cross = message.kind in {"rejected", "conflict"}
    fill = "none" if is_cross else PAPER if is_empty else colour
    return (
        f'<path d="{drawn}" transform="translate({x:g} {y:g}){turned}" fill="{fill}" stroke="{colour}" '
        f'stroke-width="{2.2 if is_cross else 1.2}" stroke-linejoin="round"/>'
    )


def _ink(message: Message) -> str:
    return SOFT if message.tense == "future" else INK
