"""The process graph as a still picture: the same marks as in the live view."""

from __future__ import annotations

from typing import NamedTuple

from calamity_lab.views.marks import WORDS, Mark, Standing
from calamity_lab.views.process_graph import Edge, Node, ProcessGraph
from calamity_lab.widgets.stills.paper import INK, SOFT, fitted, image, line, svg, text
from calamity_lab.widgets.stills.shapes import COLOURS
from calamity_lab.widgets.stills.signs import STANDINGS, sign

WIDTH, HEIGHT, ROW, GAP, BUS, TOP, KEY = 142, 26, 42, 56, 28, 26, 24
# The line of what is sent if a command is refused runs outside the other.
_ASIDE = 6

_OUTLINES = {
    "command": f"M0 0H{WIDTH - 10}L{WIDTH} 13 {WIDTH - 10} 26H0z",
    "event": f"M0 0H{WIDTH}V18L{WIDTH - 8} 26H0z",
    "process manager": f"M10 0H{WIDTH - 10}L{WIDTH} 13 {WIDTH - 10} 26H10L0 13z",
    "aggregate": f"M13 0H{WIDTH - 13}a13 13 0 0 1 0 26H13a13 13 0 0 1 0-26z",
}


class Place(NamedTuple):
    """Where the left upper corner of a node is."""

    x: float
    y: float


def drawn(view: ProcessGraph) -> str:
    """The graph as an image, how the chosen instance stands above it, and the newest others below."""
    if not view.nodes:
        return line("This model has no process manager.", soft=True)
    places, marks = _places(view.nodes), {mark.key: mark for mark in view.marks}
    width = max(place.x for place in places.values()) + WIDTH + 14
    bottom = max(place.y for place in places.values()) + ROW
    edges = [each for each in view.edges if {each.source, each.target} <= set(places)]
    told = [(each, marks.get(each.key)) for each in edges]
    # What the instance had to do with lies over the rest.
    body = "".join(
        _edge(view, *each, places, bottom) for each in sorted(told, key=lambda each: bool(each[1]))
    )
    body += "".join(_node(view, each, places[each.key], marks.get(each.key)) for each in view.nodes)
    body += _key(view, bottom + 22)
    picture = image(svg(width, bottom + 22 + KEY, body), _told(view), int(width))
    return _stage(view) + picture + _others(view)


def _stage(view: ProcessGraph) -> str:
    return line(view.story) if view.story else ""


def _told(view: ProcessGraph) -> str:
    """The picture in words."""
    happened = [node.name for node in view.nodes if node.count]
    return (
        f"Process graph of {view.manager or 'the model'}; happened so far: {', '.join(happened) or 'nothing'}"
    )


def _places(nodes: tuple[Node, ...]) -> dict[str, Place]:
    layers = sorted({node.x for node in nodes})
    rows = {x: sorted((node for node in nodes if node.x == x), key=lambda node: node.y) for x in layers}
    most = max(len(layer) for layer in rows.values())
    return {
        node.key: Place(
            14 + BUS + layers.index(x) * (WIDTH + GAP),
            TOP + (row + 0.5) * most * ROW / len(layer) - HEIGHT / 2 - 6,
        )
        for x, layer in rows.items()
        for row, node in enumerate(layer)
    }


def _node(view: ProcessGraph, node: Node, place: Place, mark: Mark | None) -> str:
    stroke, fill = COLOURS[node.kind]
    state = None if mark is None or mark.standing in {"done", "waiting"} else mark.standing
    awaited = node.kind == "event" and state in {"waited for", "overdue"}
    reached = node.count and (view.chosen is None or mark is not None) and not awaited
    weight = 2.6 if node.current else 2 if state else 1.3
    dress = f'fill="{fill if reached else "#ffffff"}" stroke="{STANDINGS[state].colour if state else stroke}"'
    dash = "" if node.count else ' stroke-dasharray="4 3"'
    count = f"×{node.count:,}" if node.count else ""
    now = "now " if node.current and view.is_own else ""
    told = "" if mark is None else _mark(view, node, mark)
    return (
        f'<g transform="translate({place.x:g} {place.y:g})">'
        f'<path d="{_OUTLINES[node.kind]}" {dress} stroke-width="{weight}"{dash}/>'
        + text(WIDTH / 2, 17, fitted(node.name, 20), anchor="middle", size=11.5)
        + (
            text(WIDTH - 2, -4, f"{now}{count}".strip(), fill=SOFT, anchor="end", size=10)
            if now or count
            else ""
        )
        + f"{told}</g>"
    )


def _mark(view: ProcessGraph, node: Node, mark: Mark) -> str:
    """The sign of a standing and its word; at a process manager also the instance."""
    word = view.word(node, mark)
    told = text(20, -4, word, fill=STANDINGS[mark.standing].colour, size=10) if word else ""
    if node.kind == "process manager" and view.chosen is not None:
        told += text(26, HEIGHT + 11, fitted(view.chosen, 18), fill=SOFT, size=10)
    return told + sign(mark.standing, 9, -4)


def _edge(view: ProcessGraph, edge: Edge, mark: Mark | None, places: dict[str, Place], bottom: float) -> str:
    start, end = places[edge.source], places[edge.target]
    refusal = edge.label == "if refused"
    colour, weight, dash = _line(view, edge, mark)
    y = end.y + HEIGHT / 2
    d = _curve(start, end) if end.x > start.x else _round_below(start, end, bottom, _ASIDE if refusal else 0)
    tip = f'<path d="M{end.x - 7:g} {y - 3.5:g}L{end.x:g} {y:g} {end.x - 7:g} {y + 3.5:g}z" fill="{colour}"/>'
    way = f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{weight}"{dash}/>'
    return way + tip + _label(edge, start)


def _line(view: ProcessGraph, edge: Edge, mark: Mark | None) -> tuple[str, float, str]:
    """The colour, weight and dashes of an edge."""
    refusal = COLOURS["refused"][0] if edge.label == "if refused" else ""
    if mark is None:
        weight = 1.3 if view.chosen is None else 1
        return refusal or SOFT, weight, "" if edge.count else ' stroke-dasharray="3 4"'
    if mark.standing == "done":
        return refusal or INK, 1.8, ""
    dashes = {"in flight": "7 3", "waited for": "2 3", "overdue": "2 3"}.get(mark.standing, "")
    return STANDINGS[mark.standing].colour, 2, f' stroke-dasharray="{dashes}"' if dashes else ""


def _curve(start: Place, end: Place) -> str:
    x1, y1, x2, y2 = start.x + WIDTH, start.y + HEIGHT / 2, end.x - 2, end.y + HEIGHT / 2
    bend = (x2 - x1) * 0.55
    return f"M{x1:g} {y1:g}C{x1 + bend:.5g} {y1:g} {x2 - bend:.5g} {y2:g} {x2:g} {y2:g}"


def _round_below(start: Place, end: Place, bottom: float, aside: float) -> str:
    x, y, low, left = start.x + 12 + aside, end.y + HEIGHT / 2, bottom + aside, 14 + _ASIDE - aside
    down = f"M{x:g} {start.y + HEIGHT:g}V{low - 8:g}q0 8-8 8H{left + 8:g}q-8 0-8-8"
    return f"{down}V{y + 8:g}q0-8 8-8H{end.x - 2:g}"


def _label(edge: Edge, start: Place) -> str:
    if edge.label not in {"start", "continue", "stop"}:
        return ""
    return text(start.x + WIDTH + 3, start.y + 9, edge.label, fill=SOFT, size=10)


def _key(view: ProcessGraph, y: float) -> str:
    """What the marks mean that can be seen."""
    there = {mark.standing for mark in view.marks} - {"waiting"}
    states: list[Standing] = [state for state in WORDS if state in there]
    told, x = "", 20.0
    for state in states:
        told += sign(state, x, y) + text(x + 11, y + 4, WORDS[state], fill=SOFT, size=10.5)
        x += 36 + 6 * len(WORDS[state])
    if any(not node.count for node in view.nodes):
        told += f'<path d="M{x:g} {y - 5:g}h20v10h-20z" fill="none" stroke="{SOFT}" stroke-dasharray="3 2"/>'
        told += text(x + 26, y + 4, "possible, has not happened", fill=SOFT, size=10.5)
        x += 190
    if any(edge.label == "if refused" for edge in view.edges):
        told += f'<path d="M{x:g} {y:g}h20" stroke="{COLOURS["refused"][0]}" stroke-width="1.5"/>'
        told += text(x + 26, y + 4, "sent if a command is refused", fill=SOFT, size=10.5)
    return told


def _others(view: ProcessGraph) -> str:
    others = [each for each in view.instances if each.id != view.chosen][:5]
    return "".join(line(f"{each.stream_id}: {each.stage or each.status}", soft=True) for each in others)
