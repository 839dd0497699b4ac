"""The process graph as a scene: boxes, ways and texts in pixels, which every painter draws as they are.

Paths are written as in SVG, y runs downwards. A scene depends on what is in the graph, not on what happened
on it, so that nothing moves at a step.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

BOX_WIDE, BOX_HIGH = 134, 28
NAME_ROOM = BOX_WIDE - 24
"""So wide may a name be in its box."""

_GAPS = (28, 28, 58)
"""The room between two layers: what process managers listen to has words on it."""
_ROW = BOX_HIGH + 17
_EDGE, _TOP, _BUS = 8, 34, 24
_ASIDE = 6
"""So far outside the other runs the way of what is sent if a command is rejected, so that both are seen."""
_ROUND = 8
_PAST = 12
"""So far right of a box runs the way that has to pass others underneath it."""


VERBS = frozenset({"start", "continue", "stop"})
"""The labels of edges that are written beside them; the others are told by what they join."""


class Named(Protocol):
    """A node of the graph: its place from 0 to 1 tells its layer and its row there."""

    @property
    def key(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def x(self) -> float: ...
    @property
    def y(self) -> float: ...


class Leading(Protocol):
    """An edge of the graph."""

    @property
    def key(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def label(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Box:
    """A node: its left upper corner, its outline from there, and its name in one line or two."""

    key: str
    x: float
    y: float
    outline: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """An edge: its line, the point of its head, and where its word begins; no word where it leads around."""

    key: str
    line: str
    tip: tuple[float, float]
    word: tuple[float, float] | None


class Stroke(NamedTuple):
    """How a box or a way is drawn: its colour's name, how thick, its dashes, and whether a box is tinted."""

    colour: str
    width: float
    dash: str = ""
    is_filled: bool = False


@dataclass(frozen=True, slots=True)
class Heading:
    """What the boxes of a layer are, above the middle of it."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class GraphScene:
    """A whole process graph."""

    width: float = 0.0
    height: float = 0.0
    boxes: tuple[Box, ...] = ()
    ways: tuple[Way, ...] = ()
    headings: tuple[Heading, ...] = ()


def graph_scene(nodes: Sequence[Named], edges: Sequence[Leading]) -> GraphScene:
    """The scene of a graph; edges whose ends are not in it are left out."""
    if not nodes:
        return GraphScene()
    layers = [_layer(nodes, x) for x in sorted({node.x for node in nodes})]
    high = max(map(len, layers)) * _ROW
    boxes = {
        node.key: _box(node, column, _TOP + (row + 0.5) * high / len(layer) - BOX_HIGH / 2)
        for column, layer in enumerate(layers)
        for row, node in enumerate(layer)
    }
    bottom = _TOP + high + 6
    ways = [_way(each, boxes, bottom) for each in edges if {each.source, each.target} <= set(boxes)]
    ways = _with_words_apart(ways)
    back = [boxes[each.source] for each in edges if _leads_back(each, boxes)]
    beside = _PAST + _ASIDE if any(_is_over_others(box, boxes.values()) for box in back) else 0
    width = _left(len(layers) - 1) + BOX_WIDE + beside + _EDGE
    headings = tuple(
        Heading(_left(column) + BOX_WIDE / 2, f"{layer[0].kind}s") for column, layer in enumerate(layers)
    )
    return GraphScene(
        width, _TOP + high + _BUS, tuple(boxes[node.key] for node in nodes), tuple(ways), headings
    )


def _layer(nodes: Sequence[Named], x: float) -> list[Named]:
    return sorted((node for node in nodes if node.x == x), key=lambda node: node.y)


def _left(column: int) -> float:
    gaps = sum(_GAPS[min(each, len(_GAPS) - 1)] for each in range(column))
    return _EDGE + _BUS + column * BOX_WIDE + gaps


def _box(node: Named, column: int, y: float) -> Box:
    return Box(node.key, _left(column), y, outline(node.kind), name_lines(node.name))


def outline(kind: str) -> str:
    """The outline of a box of that kind; the same shapes as those of the marks, as wide as a name."""
    w, h, tip, fold = BOX_WIDE, BOX_HIGH, 10, 8
    half = h // 2
    match kind:
        case "command":
            return f"M0 0H{w - tip}L{w} {half} {w - tip} {h}H0z"
        case "event":
            return f"M0 0H{w}V{h - fold}L{w - fold} {h}H0zM{w} {h - fold}H{w - fold}V{h}"
        case "process manager":
            return f"M{tip} 0H{w - tip}L{w} {half} {w - tip} {h}H{tip}L0 {half}z"
    return f"M{half} 0H{w - half}a{half} {half} 0 0 1 0 {h}H{half}a{half} {half} 0 0 1 0 -{h}z"


def _way(edge: Leading, boxes: dict[str, Box], bottom: float) -> Way:
    source, target = boxes[edge.source], boxes[edge.target]
    tip = target.x - 1, target.y + BOX_HIGH / 2
    if target.x > source.x:
        x, y = source.x + BOX_WIDE, source.y + BOX_HIGH / 2
        return Way(edge.key, _curve(x, y, tip), tip, (x + 4, y - 4) if edge.label in VERBS else None)
    aside = _ASIDE if edge.label == "if refused" else 0
    out = (
        _out_at_the_right(source, aside)
        if _is_over_others(source, boxes.values())
        else _out_below(source, aside)
    )
    low, left = bottom + aside, _EDGE + _ASIDE - aside
    line = (
        f"{out}V{low - _ROUND:g}q0 {_ROUND}-{_ROUND} {_ROUND}H{left + _ROUND:g}"
        f"q-{_ROUND} 0-{_ROUND}-{_ROUND}V{tip[1] + _ROUND:g}q0-{_ROUND} {_ROUND}-{_ROUND}H{tip[0]:g}"
    )
    return Way(edge.key, line, tip, None)


def _leads_back(edge: Leading, boxes: dict[str, Box]) -> bool:
    return {edge.source, edge.target} <= set(boxes) and boxes[edge.target].x <= boxes[edge.source].x


def _is_over_others(box: Box, boxes: Iterable[Box]) -> bool:
    return any(other.x == box.x and other.y > box.y for other in boxes)


def _with_words_apart(ways: Iterable[Way]) -> list[Way]:
    """The ways; of several from one box the first has its word above, the second below, the others none."""
    taken: Counter[tuple[float, float] | None] = Counter()
    found = []
    for way in ways:
        taken[way.word] += 1
        if way.word is not None and taken[way.word] > 1:
            below = (way.word[0], way.word[1] + 15) if taken[way.word] == 2 else None
            way = replace(way, word=below)
        found.append(way)
    return found


def _curve(x: float, y: float, tip: tuple[float, float]) -> str:
    end, down = tip
    bend = 0.55 * (end - x)
    return f"M{x:g} {y:g}C{x + bend:.5g} {y:g} {end - bend:.5g} {down:g} {end:g} {down:g}"


def _out_below(source: Box, aside: float) -> str:
    """Out of the bottom, left of what is written under the box."""
    return f"M{source.x + 14 + aside:g} {source.y + BOX_HIGH:g}"


def _out_at_the_right(source: Box, aside: float) -> str:
    """Out of the right, and down beside the boxes that stand underneath."""
    x, y = source.x + BOX_WIDE, source.y + BOX_HIGH / 2
    return f"M{x:g} {y:g}H{x + _PAST + aside - _ROUND:g}q{_ROUND} 0 {_ROUND} {_ROUND}"


def name_lines(name: str) -> tuple[str, ...]:
    """A name in one line, or in two that are broken between its words, as nearly equal as they can be."""
    if text_width(name, 12) <= NAME_ROOM:
        return (name,)
    words = re.findall(r".+?(?:(?<=[a-z0-9])(?=[A-Z])|(?<=[_ ])|$)", name[:80], re.DOTALL) or [name]
    pairs = [("".join(words[:n]), "".join(words[n:])) for n in range(1, len(words))]
    return min(pairs, key=lambda pair: max(map(len, pair)), default=(name,))


_NARROW, _BROAD = frozenset("fijlrtI.,:;'|!()[]- "), frozenset("mwMW@%")


def text_width(text: str, size: float) -> float:
    """How wide a text is at most in the fonts that the views are written in, in pixels."""
    narrow, broad = sum(each in _NARROW for each in text), sum(each in _BROAD for each in text)
    capital = sum(each.isupper() for each in text)
    return size * (0.61 * len(text) - 0.24 * narrow + 0.34 * broad + 0.09 * capital)


def cut(text: str, room: float, size: float) -> str:
    """A text cut to its room, at the end."""
    if text_width(text, size) <= room:
        return text
    kept = next(
        end for end in range(len(text), -1, -1) if text_width(f"{text[:end]}…", size) <= room or not end
    )
    return f"{text[:kept]}…"
