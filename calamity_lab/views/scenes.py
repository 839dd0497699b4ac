"""The process graph as a scene: where its nodes are, and boxes, ways and texts in pixels for every painter.

The nodes are in layers from left to right, with few crossings of arrows. Paths are written as in SVG: y runs
downwards. A scene depends on what is in the graph, not on what happened, so that nothing moves at a step.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

BOX_WIDE, BOX_HIGH = 134, 28
NAME_ROOM = BOX_WIDE - 24
"""The greatest width of a name in its box."""

_GAPS = (28, 28, 58)
"""The gaps between layers; the last is wider for the words on the edges to process managers."""
_ROW = BOX_HIGH + 17
_EDGE, _TOP, _BUS = 8, 34, 24
_ASIDE = 6
"""How far outside the other edges an edge "if rejected" runs, so that both can be seen."""
_ROUND = 8
_PAST = 12
"""How far right of a box its edge runs down, past the boxes underneath."""


_WORD = 10
"""The size of the words at edges."""
_BESIDE_WORD = 22
"""The room left and right of a word at an edge that leads back to a command."""
_LINE = 15
"""How far the second line of a word is below the first: one is above its edge, the other below."""

VERBS = frozenset({"start", "continue", "stop", "answer"})
"""The labels that are written beside their edges; what an edge joins explains the other labels."""


class Named(Protocol):
    """A node of the graph: ``x`` and ``y``, from 0 to 1, give its layer and its row in the layer."""

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
    @property
    def when(self) -> str: ...


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
    """An edge: its line, the tip of its arrowhead, and the words beside it, each with where it begins."""

    key: str
    line: str
    tip: tuple[float, float]
    words: tuple[tuple[float, float, str], ...]


class Stroke(NamedTuple):
    """How a box or an edge is drawn: colour name, width, dashes, and whether a box is tinted."""

    colour: str
    width: float
    dash: str = ""
    is_filled: bool = False


@dataclass(frozen=True, slots=True)
class Heading:
    """The kind of the boxes of a layer, written above its middle."""

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
    """The scene of a graph, without the edges whose ends are not among the nodes."""
    if not nodes:
        return GraphScene()
    layers = [_layer(nodes, x) for x in sorted({node.x for node in nodes})]
    high = max(map(len, layers)) * _ROW
    lefts = _lefts(layers, edges)
    boxes = {
        node.key: _box(node, lefts[column], _TOP + (row + 0.5) * high / len(layer) - BOX_HIGH / 2)
        for column, layer in enumerate(layers)
        for row, node in enumerate(layer)
    }
    bottom = _TOP + high + 6
    ways = [_way(each, boxes, bottom) for each in edges if {each.source, each.target} <= set(boxes)]
    ways = _with_words_apart(ways)
    back = [boxes[each.source] for each in edges if _leads_back(each, boxes)]
    beside = _PAST + _ASIDE if any(_is_over_others(box, boxes.values()) for box in back) else 0
    width = lefts[-1] + BOX_WIDE + beside + _EDGE
    headings = tuple(
        Heading(left + BOX_WIDE / 2, f"{layer[0].kind}s") for left, layer in zip(lefts, layers, strict=True)
    )
    return GraphScene(
        width, _TOP + high + _BUS, tuple(boxes[node.key] for node in nodes), tuple(ways), headings
    )


def _layer(nodes: Sequence[Named], x: float) -> list[Named]:
    return sorted((node for node in nodes if node.x == x), key=lambda node: node.y)


def _lefts(layers: Sequence[Sequence[Named]], edges: Iterable[Leading]) -> list[float]:
    """Where each layer begins, with room for when deadlines are due: left of the commands, or in a gap."""
    columns = {node.key: column for column, layer in enumerate(layers) for node in layer}
    gaps = [_BUS, *(float(_GAPS[min(each, len(_GAPS) - 1)]) for each in range(len(layers) - 1))]
    for edge in edges:
        if edge.when and {edge.source, edge.target} <= set(columns):
            source = columns[edge.source]
            is_back = columns[edge.target] <= source
            wide = max(text_width(line, _WORD) for line in _in_lines(edge.when))
            gap = 0 if is_back else source + 1
            gaps[gap] = max(gaps[gap], wide + (_BESIDE_WORD if is_back else _LINE))
    return [_EDGE + column * BOX_WIDE + sum(gaps[: column + 1]) for column in range(len(layers))]


def _in_lines(words: str) -> tuple[str, ...]:
    """Words in one line, or in two where one would be long: the second is "to 2 h", or about half."""
    if text_width(words, _WORD) <= BOX_WIDE / 2:
        return (words,)
    before, to, after = words.rpartition(" to ")
    if to:
        return before, f"to {after}"
    parts = words.split(" ")
    ways = [(" ".join(parts[:n]), " ".join(parts[n:])) for n in range(1, len(parts))]
    return min(ways, key=lambda way: max(map(len, way)), default=(words,))


def _box(node: Named, x: float, y: float) -> Box:
    return Box(node.key, x, y, outline(node.kind), name_lines(node.name))


def outline(kind: str) -> str:
    """The outline of a box of that kind: the shape of the mark in the lanes, as wide as a name."""
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
        return Way(edge.key, _curve(x, y, tip), tip, _words(edge, x + 4, y - 4))
    aside = _ASIDE if edge.label == "if rejected" else 0
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
    return Way(edge.key, line, tip, _words(edge, left + _ROUND, tip[1] - 4))


def _words(edge: Leading, x: float, y: float) -> tuple[tuple[float, float, str], ...]:
    """When a deadline is due, or what an event does to a process manager; for other edges nothing."""
    lines = _in_lines(edge.when) if edge.when else (edge.label,) if edge.label in VERBS else ()
    return tuple((x, y + number * _LINE, line) for number, line in enumerate(lines))


def _leads_back(edge: Leading, boxes: dict[str, Box]) -> bool:
    return {edge.source, edge.target} <= set(boxes) and boxes[edge.target].x <= boxes[edge.source].x


def _is_over_others(box: Box, boxes: Iterable[Box]) -> bool:
    return any(other.x == box.x and other.y > box.y for other in boxes)


def _with_words_apart(ways: Iterable[Way]) -> list[Way]:
    """The edges; of several at one point the first has its words above, the second below, the others none."""
    taken: Counter[tuple[float, float]] = Counter()
    found = []
    for way in ways:
        for x, y, _ in way.words[:1]:
            before, lines = taken[x, y], len(way.words)
            words = tuple((x, line + before * _LINE, word) for _, line, word in way.words)
            taken[x, y] += lines
            way = replace(way, words=words if before + lines <= 2 else ())
        found.append(way)
    return found


def _curve(x: float, y: float, tip: tuple[float, float]) -> str:
    end, down = tip
    bend = 0.55 * (end - x)
    return f"M{x:g} {y:g}C{x + bend:.5g} {y:g} {end - bend:.5g} {down:g} {end:g} {down:g}"


def _out_below(source: Box, aside: float) -> str:
    """The start of a line out of the bottom, left of the text under the box."""
    return f"M{source.x + 14 + aside:g} {source.y + BOX_HIGH:g}"


def _out_at_the_right(source: Box, aside: float) -> str:
    """The start of a line out of the right, and down beside the boxes underneath."""
    x, y = source.x + BOX_WIDE, source.y + BOX_HIGH / 2
    return f"M{x:g} {y:g}H{x + _PAST + aside - _ROUND:g}q{_ROUND} 0 {_ROUND} {_ROUND}"


def name_lines(name: str) -> tuple[str, ...]:
    """A name in one line, or in two lines of about equal length, broken between words."""
    if text_width(name, 12) <= NAME_ROOM:
        return (name,)
    words = re.findall(r".+?(?:(?<=[a-z0-9])(?=[A-Z])|(?<=[_ ])|$)", name[:80], re.DOTALL) or [name]
    pairs = [("".join(words[:n]), "".join(words[n:])) for n in range(1, len(words))]
    return min(pairs, key=lambda pair: max(map(len, pair)), default=(name,))


_NARROW, _BROAD = frozenset("fijlrtI.,:;'|!()[]- "), frozenset("mwMW@%")


def text_width(text: str, size: float) -> float:
    """The greatest width of a text in the fonts of the views, in pixels."""
    narrow, broad = sum(each in _NARROW for each in text), sum(each in _BROAD for each in text)
    capital = sum(each.isupper() for each in text)
    return size * (0.61 * len(text) - 0.24 * narrow + 0.34 * broad + 0.09 * capital)


def cut(text: str, room: float, size: float) -> str:
    """A text, cut at its end to fit a width."""
    if text_width(text, size) <= room:
        return text
    kept = _most_that_fit(len(text), lambda end: text_width(f"{text[:end]}…", size) <= room)
    return f"{text[:kept]}…"


def _most_that_fit(letters: int, fits: Callable[[int], bool]) -> int:
    """The most letters, of so many, with which a text still has room. A name may have millions."""
    return bisect_left(range(1, letters + 1), True, key=lambda kept: not fits(kept))


_LEAST_TYPE = 3


def cut_name(category: str, name: str, fits: Callable[[str], bool]) -> str:
    """The name of a stream, of which both ends can be read: its type is cut at the end, its id in the middle.

    In the browser, `cutName` does the same.
    """
    if fits(name):
        return name
    before = len(category) if name.startswith(category) else 0
    rest = name[before:]
    kept = _most_that_fit(before, lambda kept: fits(f"{name[:kept]}…{rest}"))
    if kept >= _LEAST_TYPE:
        return f"{name[:kept]}…{rest}"
    return _without_middle(name, _most_that_fit(len(name), lambda kept: fits(_without_middle(name, kept))))


def _without_middle(name: str, kept: int) -> str:
    return f"{name[: -(-kept // 2)]}…{name[len(name) - kept // 2 :]}"


RANKS: Mapping[str, int] = {"command": 0, "aggregate": 1, "event": 2, "process manager": 3}
"""The first layer in which a node of each kind may be: commands, aggregates, events, process managers."""

_SWEEPS = 8

Point = tuple[float, float]
Arrow = tuple[str, str]


def layout(nodes: tuple[tuple[str, str], ...], arrows: tuple[Arrow, ...]) -> dict[str, Point]:
    """The point of each node, between 0 and 1, from nodes (key, kind) and arrows between keys.

    The same graph always has the same layout. If arrows form a circle, the arrows back to a command are drawn
    backwards, and the layers are ordered without them.
    """
    layers = _ordered(_layers(nodes, arrows), arrows)
    return {
        key: ((x + 0.5) / len(layers), (y + 0.5) / len(layer))
        for x, layer in enumerate(layers)
        for y, key in enumerate(layer)
    }


def _layers(nodes: Sequence[tuple[str, str]], arrows: Sequence[Arrow]) -> list[list[str]]:
    """The nodes by layer: each right of all that lead to it, without the arrows that close a circle."""
    import networkx as nx

    kinds, order = dict(nodes), {key: n for n, (key, _) in enumerate(nodes)}
    graph = nx.DiGraph()
    graph.add_nodes_from(order)
    graph.add_edges_from(arrows)
    component = nx.condensation(graph).graph["mapping"]
    graph.remove_edges_from(
        [(a, b) for a, b in arrows if component[a] == component[b] and RANKS[kinds[a]] >= RANKS[kinds[b]]]
    )
    depth: dict[str, int] = {}
    for generation in nx.topological_generations(graph):
        for key in generation:
            before = (depth[other] + 1 for other in graph.predecessors(key))
            depth[key] = max([RANKS[kinds[key]], *before])
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for key in order:
        layers[depth[key]].append(key)
    return [layer for layer in layers if layer]


def _ordered(layers: list[list[str]], arrows: Sequence[Arrow]) -> list[list[str]]:
    """The layers in the order with the fewest crossings that a few sweeps find; the first of equal ones.

    A sweep orders each layer by the mean index of its neighbours (Sugiyama, Tagawa, Toda 1981). Then it swaps
    neighbours in a layer while that saves crossings. Arrows that lead back do not count: they are drawn
    around everything.
    """
    depth = {key: x for x, layer in enumerate(layers) for key in layer}
    near: dict[str, list[str]] = {key: [] for key in depth}
    for source, target in dict.fromkeys(arrows):
        if depth[source] < depth[target]:
            near[source].append(target)
            near[target].append(source)
    best = _Order(layers, near, depth)
    fewest = best.crossings()
    for downwards in (True, False):
        order = _Order(layers, near, depth)
        for sweep in range(_SWEEPS):
            order.sweep(backwards=sweep % 2 == downwards)
            order.exchange()
            if (count := order.crossings()) < fewest:
                best, fewest = order.copy(), count
    return best.layers


class _Order:
    """Layers while their nodes are being ordered."""

    def __init__(
        self, layers: Sequence[Sequence[str]], near: Mapping[str, list[str]], depth: Mapping[str, int]
    ) -> None:
        self.layers = [list(layer) for layer in layers]
        self._near = near
        self._depth = depth
        self._index = {key: n for layer in self.layers for n, key in enumerate(layer)}

    def copy(self) -> _Order:
        return _Order(self.layers, self._near, self._depth)

    def sweep(self, *, backwards: bool) -> None:
        """Order each layer by the mean index of its neighbours, as a part of the height of their layer."""
        for layer in reversed(self.layers) if backwards else self.layers:
            means = {key: self._mean(key) for key in layer}
            layer.sort(key=lambda key: (round(means[key], 9), self._index[key]))
            self._index |= {key: n for n, key in enumerate(layer)}

    def exchange(self) -> None:
        """Swap nodes that are next to each other while that saves crossings."""
        for _ in range(_SWEEPS):
            if not any([self._exchanged(layer) for layer in self.layers]):
                return

    def crossings(self) -> int:
        """The number of crossings, of each pair of nodes in a layer with all their neighbours."""
        pairs = (
            pair
            for layer in self.layers
            for n, one in enumerate(layer)
            for pair in ((one, o) for o in layer[n + 1 :])
        )
        return sum(self._crossed(one, other) for one, other in pairs)

    def _exchanged(self, layer: list[str]) -> bool:
        saved = False
        for n in range(len(layer) - 1):
            one, other = layer[n], layer[n + 1]
            if self._crossed(other, one) < self._crossed(one, other):
                layer[n], layer[n + 1] = other, one
                self._index[one], self._index[other] = n + 1, n
                saved = True
        return saved

    def _crossed(self, upper: str, lower: str) -> int:
        """The number of crossings between the arrows of two nodes, the first above the second."""
        index, depth = self._index, self._depth
        return sum(
            index[a] > index[b] for a in self._near[upper] for b in self._near[lower] if depth[a] == depth[b]
        )

    def _mean(self, key: str) -> float:
        near = self._near[key] or [key]
        return sum((self._index[o] + 0.5) / len(self.layers[self._depth[o]]) for o in near) / len(near)
