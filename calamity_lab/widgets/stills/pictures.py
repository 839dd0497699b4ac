"""The views as they are in a still picture: drawn, or as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from operator import itemgetter

from calamity_lab.text import escape_html, plural
from calamity_lab.views.agenda import AgendaEntry, AgendaView, DueEntry
from calamity_lab.views.comparison import ComparisonView
from calamity_lab.views.form import CommandForm
from calamity_lab.views.instance_status import StatusMark
from calamity_lab.views.lanes import AHEAD, LABEL, DrawnDeadline, Row, Window, beside
from calamity_lab.views.log import LogRow, LogView
from calamity_lab.views.looks import SIGNS, Status
from calamity_lab.views.process_graph import Edge, Node, ProcessGraphView
from calamity_lab.views.scenes import (
    BOX_HIGH,
    BOX_WIDE,
    NAME_ROOM,
    Box,
    Stroke,
    Way,
    cut,
    cut_name,
    text_width,
)
from calamity_lab.views.sequence import SequenceView
from calamity_lab.views.sequence_scene import Words, sequence_scene
from calamity_lab.views.state import FieldRow, StateRow, StateView
from calamity_lab.widgets.stills.paper import (
    ACCENT,
    LATER,
    LINE,
    PAPER,
    SHADE,
    SOFT,
    drawn,
    fitted,
    hue,
    image,
    line,
    more,
    pale,
    shape,
    sign,
    status_colour,
    stroke,
    svg,
    table,
    text,
)

_LANE, _LABEL, _LANES_TOP, _LANES_WIDE = 24, 190, 22, 860
LANES_EVENTS = 24
"""The number of events in the picture."""


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
            text(22, y + 4, _lane_name(row)),
        ]
    parts += [_position(view, n) for n in range(1, len(view.positions), 2)]
    parts.append(f'<path d="M{now:.4g} 0V{height}" stroke="{ACCENT}" stroke-width="1.5"/>')
    parts += [_deadline(view, each, now) for each in view.deadlines]
    for mark, label in zip(view.marks, _labels(view), strict=True):
        x, y = _x(view, mark.x), _LANES_TOP + (mark.lane + 0.5) * _LANE
        is_past = mark.moment <= view.moment
        parts += [label, shape(mark.kind, x, y, is_past=is_past)]
    return "".join(parts)


def _deadline(view: Window, drawn: DrawnDeadline, now: float) -> str:
    """A line from where it was set; a clock where it came due, a cross where it was taken off."""
    middle = _LANES_TOP + (drawn.lane + 0.5) * _LANE
    y = middle + drawn.down
    start, end = (min(max(_x(view, x), _LABEL), _LANES_WIDE) for x in (drawn.x, drawn.until))
    parted = start if drawn.since > view.moment else min(max(now, start), end)
    is_past, is_inside = drawn.until_moment <= view.moment, drawn.until <= view.first + view.width + 1
    lines = [(f"M{start:.4g} {y}H{parted:.4g}", True)] if parted > start else []
    lines += [(f"M{parted:.4g} {y}H{end:.4g}", False)] if end > parted else []
    if drawn.end == "taken off" and is_inside:
        lines.append((f"M{end - 2.5:.4g} {y - 2.5}l5 5m0-5l-5 5", is_past))
    clock = shape("deadline", end, middle, is_past=is_past) if drawn.end == "came due" and is_inside else ""
    return clock + "".join(
        f'<path d="{path}" fill="none" stroke="{hue("time") if past else LATER}" stroke-dasharray="3 2"/>'
        for path, past in lines
    )


def _lane_name(row: Row) -> str:
    return cut_name(row.category, row.name, lambda name: text_width(name, 12) <= _LABEL - 30)


def _labels(view: Window) -> Iterator[str]:
    """The name of each mark where there is room for it; else an empty text."""
    size, aside = LABEL["size"], LABEL["mark"] + LABEL["gap"]
    widths = [text_width(mark.label, size) for mark in view.marks]
    placed = [
        (mark.lane, _x(view, mark.x) - _LABEL, mark.kind, wide)
        for mark, wide in zip(view.marks, widths, strict=True)
    ]
    # A clock has no name, but takes up its room.
    clocks = [
        (each.lane, _x(view, each.until) - _LABEL, "deadline", inf)
        for each in view.deadlines
        if each.end == "came due"
    ]
    every = sorted([*placed, *clocks], key=itemgetter(1))
    found = zip(every, beside(every, _LANES_WIDE - _LABEL), strict=True)
    sides = [side for (*_, kind, _), side in found if kind != "deadline"]
    for mark, side in zip(view.marks, sides, strict=True):
        x, y = _x(view, mark.x), _LANES_TOP + (mark.lane + 0.5) * _LANE + 4
        is_past, is_left = mark.moment <= view.moment, side == "left"
        yield "" if side is None else drawn(
            Words(
                x - aside if is_left else x + aside, y, mark.label, _LANES_WIDE,
                "ink" if is_past else "later", "paper" if is_past else "shade",
                size, "end" if is_left else "start",
            )
        )  # fmt: skip


def _x(view: Window, along: float) -> float:
    unit = (_LANES_WIDE - _LABEL - 8) / (view.width + 0.5)
    return _LABEL + (along - view.first - AHEAD) * unit


def _position(view: Window, index: int) -> str:
    x = round(_x(view, view.first + 1 + index), 1)
    return text(x, 13, f"{view.positions[index]:,}", fill=SOFT, anchor="middle", size=11)


def process_graph(view: ProcessGraphView) -> str:
    """The graph as an image, with the status of the chosen instance above, and the newest others below."""
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
    return (line(view.story) if view.story else "") + picture + _others(view)


def _graph_in_words(view: ProcessGraphView) -> str:
    """The picture in words."""
    happened = [node.name for node in view.nodes if node.count]
    return (
        f"Process graph of {view.manager or 'the model'}; happened so far: {', '.join(happened) or 'nothing'}"
    )


def _node(view: ProcessGraphView, node: Node, box: Box, mark: StatusMark | None) -> str:
    look = view.look(node, mark)
    fill = pale(node.kind) if look.is_filled else PAPER
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
        "".join(text(*word, fill=hue("time") if edge.when else SOFT, size=10) for word in way.words)
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


_WIDE = 860
_LEAST, _MOST = 106, 190
"""How wide the column of a participant is."""


def sequence(view: SequenceView) -> str:
    """The messages in order as an image, with a text for those who cannot see it."""
    if not view.messages:
        return line("Nothing is here yet: no command was sent.", soft=True)
    column = min(max(_WIDE // len(view.participants), _LEAST), _MOST)
    scene = sequence_scene(view.participants, view.messages, column)
    body = "".join(drawn(each) for each in scene.drawn)
    picture = image(svg(scene.width, scene.height, body), _sequence_in_words(view), int(scene.width))
    left = view.total - view.commands
    return picture + (line(f"{plural(left, 'command')} more in this cascade", soft=True) if left else "")


def _sequence_in_words(view: SequenceView) -> str:
    """The picture in words."""
    past = sum(each.tense != "future" for each in view.messages)
    messages = plural(len(view.messages), "message")
    return f"Sequence of {view.title}: {messages}, {past:,} of them up to this moment"


# Tables.

_LENGTH = 90


def state(view: StateView) -> str:
    """Every aggregate and process manager in sight, with its fields."""
    if not view.rows:
        return line("Nothing is here yet.", soft=True)
    rows = [([_stream(row), f"{row.version}", _fields(row)], row.gone) for row in view.rows]
    return table(["Stream", "Version", "State"], rows) + more(view.matching, len(view.rows), "streams")


def agenda(view: AgendaView) -> str:
    """The command in progress and the pending ones."""
    in_progress = [_pending(view.in_progress, " in progress")] if view.in_progress else []
    waiting = (_pending(each) for each in view.entries)
    rows = [(cells, False) for cells in (*in_progress, *waiting)]
    rows += [(_due(each), True) for each in view.due]
    if not rows:
        return line("Nothing is pending.", soft=True)
    headings = ["Command", "To", "With", "Origin", "As things stand"]
    return table(headings, rows) + more(view.total, len(view.entries), "commands")


def _due(entry: DueEntry) -> list[str]:
    return [_short(entry.deadline), _short(entry.command), entry.when, _short(entry.origin), ""]


def log(view: LogView) -> str:
    """The rows in sight; those that are yet to come are greyed."""
    if not view.rows:
        return line("Nothing has happened yet.", soft=True)
    rows = [(_log_row(row), not row.is_past) for row in view.rows]
    headings = ["Step", "What", "Stream", "Content", "Cause"]
    return table(headings, rows) + more(view.total, len(view.rows), "rows")


def comparison(view: ComparisonView) -> str:
    """What differs between two branches."""
    labels = {branch.name: branch.label for branch in view.branches}
    rows = [
        ([_short(f"{row.subject} {row.stream_id}".strip()), _short(row.a), _short(row.b)], False)
        for part in view.parts
        for row in part.rows
    ]
    headings = ["Difference", labels[view.a], labels[view.b]]
    total = sum(part.total for part in view.parts)
    shown = table(headings, rows) + more(total, len(rows), "differences") if rows else ""
    return line(view.sentence) + shown


def commands(forms: Sequence[CommandForm]) -> str:
    """The commands that can be sent, with the fields of each."""
    if not forms:
        return line("No command is known.", soft=True)
    rows = [
        (
            [
                f"<b>{escape_html(form.command)}</b>",
                escape_html(form.target),
                _short(", ".join(f.name for f in form.fields)),
            ],
            False,
        )
        for form in forms
    ]
    return table(["Command", "To", "Fields"], rows)


def _pending(entry: AgendaEntry, badge: str = "") -> list[str]:
    named = f"<b>{escape_html(entry.command)}</b>{badge}"
    shown = _short(entry.preview)
    return [named, escape_html(entry.target), _short(entry.fields), escape_html(entry.origin), shown]


def _log_row(row: LogRow) -> list[str]:
    position = "" if row.position is None else f" #{row.position:,}"
    name = "&nbsp;" * 3 * row.depth + escape_html(row.name) + position
    outcome = f"<b>{_short(row.outcome)}</b> &nbsp; " if row.outcome else ""
    stream, cause = escape_html(row.stream_id), escape_html(row.cause)
    return [f"{row.moment:,}", name, stream, outcome + _short(row.detail), cause]


def _stream(row: StateRow) -> str:
    word = "stopped" if row.gone else "new" if row.is_new else "changed" if row.changed else ""
    shown = f' <span style="color:{SOFT}">{word}</span>' if word else ""
    return f"<b>{escape_html(row.stream_id)}</b>{shown}"


def _fields(row: StateRow) -> str:
    return " &nbsp; ".join(_field(field) for field in row.fields)


def _field(field: FieldRow) -> str:
    name = f'<span style="color:{SOFT}">{escape_html(field.name)}</span> '
    if field.changes:
        return f"{name}<b>{_short(field.summary_of_changes)}</b>"
    if field.changed and field.before is not None:
        before = f'<del style="color:{LATER}">{_short(field.before)}</del> → '
        return f"{name}{before}<b>{_short(field.value)}</b>"
    return name + _short(field.value)


def _short(content: str) -> str:
    return escape_html(fitted(content, _LENGTH))
