"""The process graph as a still picture."""

from __future__ import annotations

from typing import NamedTuple

from calamity_lab.views.process_graph import Edge, Node, ProcessGraph
from calamity_lab.views.standing import Mark
from calamity_lab.widgets.stills.paper import SOFT, fitted, image, line, svg, text
from calamity_lab.widgets.stills.shapes import COLOURS

WIDTH, HEIGHT, ROW, GAP, BUS, TOP = 142, 26, 40, 56, 22, 26

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
    """The graph as an image, and the stages of its newest instances below it."""
    if not view.nodes:
        return line("This model has no process manager.", soft=True)
    places = _places(view.nodes)
    columns = {place.x for place in places.values()}
    width = max(columns) + WIDTH + 14
    bottom = max(place.y for place in places.values()) + ROW
    body = "".join(
        _edge(each, places, bottom) for each in view.edges if {each.source, each.target} <= set(places)
    )
    marks = {mark.key: mark for mark in view.marks}
    body += "".join(_node(each, places[each.key], marks.get(each.key)) for each in view.nodes)
    return image(svg(width, bottom + 14, body), _told(view), int(width)) + _instances(view)


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


def _node(node: Node, place: Place, mark: Mark | None) -> str:
    stroke, fill = COLOURS[node.kind]
    weight = 2.6 if node.current else 1.3
    dress = f'fill="{fill if node.count else "#ffffff"}" stroke="{stroke}" stroke-width="{weight}"'
    dash = "" if node.count else ' stroke-dasharray="4 3"'
    told = f"{mark.standing if mark else ''} {f'×{node.count:,}' if node.count else ''}".strip()
    return (
        f'<g transform="translate({place.x:g} {place.y:g})"><path d="{_OUTLINES[node.kind]}" {dress}{dash}/>'
        + text(WIDTH / 2, 17, fitted(node.name, 20), anchor="middle", size=11.5)
        + (text(WIDTH - 2, -3, told, fill=SOFT, anchor="end", size=10) if told else "")
        + "</g>"
    )


def _edge(edge: Edge, places: dict[str, Place], bottom: float) -> str:
    start, end = places[edge.source], places[edge.target]
    colour = COLOURS["refused"][0] if edge.label == "if refused" else SOFT
    dash = "" if edge.count else ' stroke-dasharray="3 4"'
    y = end.y + HEIGHT / 2
    d = _curve(start, end) if end.x > start.x else _round_below(start, end, bottom)
    tip = f'<path d="M{end.x - 7:g} {y - 3.5:g}L{end.x:g} {y:g} {end.x - 7:g} {y + 3.5:g}z" fill="{colour}"/>'
    return f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="1.3"{dash}/>{tip}{_label(edge, start)}'


def _curve(start: Place, end: Place) -> str:
    x1, y1, x2, y2 = start.x + WIDTH, start.y + HEIGHT / 2, end.x - 2, end.y + HEIGHT / 2
    bend = (x2 - x1) * 0.55
    return f"M{x1:g} {y1:g}C{x1 + bend:.5g} {y1:g} {x2 - bend:.5g} {y2:g} {x2:g} {y2:g}"


def _round_below(start: Place, end: Place, bottom: float) -> str:
    x, y = start.x + WIDTH / 2, end.y + HEIGHT / 2
    return f"M{x:g} {start.y + HEIGHT:g}V{bottom - 8:g}q0 8-8 8H22q-8 0-8-8V{y + 8:g}q0-8 8-8H{end.x - 2:g}"


def _label(edge: Edge, start: Place) -> str:
    if edge.label not in {"start", "continue", "stop"}:
        return ""
    return text(start.x + WIDTH + 3, start.y + 9, edge.label, fill=SOFT, size=10)


def _instances(view: ProcessGraph) -> str:
    others = [each for each in view.instances if each.id != view.chosen]
    told = [view.told, *(f"{each.stream_id}: {each.stage or each.status}" for each in others[:5])]
    return "".join(line(each) for each in told if each)
