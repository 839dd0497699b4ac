"""The process graph as matplotlib axes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import cos, radians, sin
from typing import Any, NamedTuple

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Patch, PathPatch
from matplotlib.path import Path

from calamity_lab.errors import InvalidValue
from calamity_lab.figures.axes import (
    AS_TEXT,
    axes_for,
    fitted,
    legend_below,
    legible,
    room_across,
    size_in_points,
    width,
)
from calamity_lab.figures.looks import (
    SIGN_SIZE,
    Theme,
    hue,
    marker,
    sign,
    soft,
    standing_colour,
    strong,
    themed,
)
from calamity_lab.views.instance_status import StatusMark
from calamity_lab.views.looks import SIGNS
from calamity_lab.views.process_graph import Edge, Node, ProcessGraphView

_KINDS = ("command", "event", "process manager", "aggregate")
"""The kinds of boxes, in the order of the legend."""

_LARGEST, _SMALLEST = 8.5, 5.0
_LINE_HEIGHT = 1.25


class Grid(NamedTuple):
    """How large a box is and how many stand side by side and one above the other; in data units."""

    width: float
    height: float
    columns: int
    rows: int


def grid_of(nodes: Iterable[Node]) -> Grid:
    """Boxes as large as the room between the nodes allows."""
    columns: dict[float, list[float]] = {}
    for node in nodes:
        columns.setdefault(round(node.x, 6), []).append(node.y)
    rows = max((len(column) for column in columns.values()), default=1)
    across = _narrowest(columns)
    down = min((_narrowest(column) for column in columns.values()), default=1.0)
    return Grid(0.62 * across, min(0.7 * down, 0.35), max(len(columns), 1), rows)


def draw_box(ax: Axes, node: Node, grid: Grid, steep: float) -> Patch:
    """A box in the shape and colour of its kind: tinted where it has happened, empty and dashed where not.

    ``steep`` is how much longer a data unit is drawn downwards than across: corners are as wide as high.
    """
    happened = node.count > 0
    patch = PathPatch(_outline(node, grid, steep))
    patch.set_facecolor(soft(node.kind) if happened else rcParams["axes.facecolor"])
    patch.set_edgecolor(rcParams["text.color"] if node.current else strong(node.kind))
    patch.set_linewidth(2.2 if node.current else 1.2)
    patch.set_linestyle("-" if happened else (0, (3, 2)))
    patch.set_zorder(3)
    ax.add_patch(patch)
    return patch


def draw_names(ax: Axes, nodes: Sequence[Node], room: tuple[float, float]) -> None:
    """The names in the boxes, all in the largest size in which they fit into ``room`` (points)."""
    most = max(1, int(room[1] // (_SMALLEST * _LINE_HEIGHT)))
    lettered = {node.key: _lines(node, most) for node in nodes}
    size = min((_fitting(lines, room) for lines in lettered.values()), default=_LARGEST)
    for node in nodes:
        lines = [_cut(line, size, room[0]) for line in lettered[node.key]]
        ax.text(
            node.x, node.y, "\n".join(lines), ha="center", va="center", fontsize=size, linespacing=1.1,
            zorder=4, color=hue("ink") if node.count else rcParams["text.color"], clip_on=False, **AS_TEXT,
        )  # fmt: skip


def _narrowest(places: Iterable[float]) -> float:
    return min((b - a for a, b in pairwise(sorted(set(places)))), default=1.0)


def _outline(node: Node, grid: Grid, steep: float) -> Path:
    w, h = grid.width / 2, grid.height / 2
    left, right, top, bottom, y = node.x - w, node.x + w, node.y - h, node.y + h, node.y
    across = min(h * steep, w)
    tip, fold = min(0.5 * across, 0.3 * w), 0.45 * h
    match node.kind:
        case "command":
            return _closed((left, top), (right - tip, top), (right, y), (right - tip, bottom), (left, bottom))
        case "process manager":
            over = (left, y), (left + tip, top), (right - tip, top)
            return _closed(*over, (right, y), (right - tip, bottom), (left + tip, bottom))
        case "event":
            inner = right - min(fold * steep, 0.5 * w), bottom - fold
            sheet = _closed((left, top), (right, top), (right, inner[1]), (inner[0], bottom), (left, bottom))
            return Path.make_compound_path(sheet, Path([(right, inner[1]), inner, (inner[0], bottom)]))
    return pill(node.x, y, w, h, across)


def pill(x: float, y: float, wide: float, high: float, end: float) -> Path:
    """A box around a point, half as wide and high as told, that ends in half circles ``end`` across."""
    turns = [radians(angle) for angle in range(-90, 91, 10)]
    right = [(x + wide - end + end * cos(turn), y + high * sin(turn)) for turn in turns]
    left = [(2 * x - corner, 2 * y - down) for corner, down in right]
    return Path([*right, *left, right[0]], closed=True)


def _closed(*corners: tuple[float, float]) -> Path:
    return Path([*corners, corners[0]], closed=True)


def _lines(node: Node, most: int) -> list[str]:
    """A name in one or two lines, broken between its words; under it how often that has happened."""
    told = [f"×{node.count:,}"] if node.count else []
    if most < 2 + len(told):
        return [legible(node.name, 48), *told][:most]
    words = re.findall(r".+?(?:(?<=[a-z0-9])(?=[A-Z])|$)", legible(node.name, 48)) or [""]
    breaks = range(1, len(words)) if sum(map(len, words)) > 9 else range(0)
    halves = [("".join(words[:n]), "".join(words[n:])) for n in breaks]
    lines = min(halves, key=lambda pair: max(map(len, pair)), default=("".join(words),))
    return [*lines, *told]


def _fitting(lines: Sequence[str], room: tuple[float, float]) -> float:
    widest = max(width(line, _LARGEST) for line in lines) or 1.0
    by_width = _LARGEST * room[0] / widest
    by_height = room[1] / (_LINE_HEIGHT * len(lines))
    return max(_SMALLEST, min(_LARGEST, by_width, by_height))


def _cut(line: str, size: float, room: float) -> str:
    while len(line) > 2 and width(line, size) > room:
        line = f"{line[:-2]}…"
    return line


def _legend_box(kind: str) -> Line2D:
    """How the legend shows a kind of box."""
    return Line2D(
        [], [], linestyle="", markersize=7, marker=marker(kind), markerfacecolor=soft(kind), label=kind,
        markeredgecolor=strong(kind), markeredgewidth=0.9,
    )  # fmt: skip


_ASIDE, _BELOW = 0.63, 0.8
"""How far from the middle of a box the lines run, in widths and heights of a box."""

_APART = 0.07, 0.12
"""How far the line of what is sent if refused runs outside the other, so that both are seen."""


def leads_on(source: Node, target: Node) -> bool:
    """Whether an edge leads to a later layer; the others have to go around."""
    return target.x > source.x


def is_refusal(edge: Edge) -> bool:
    """Whether an edge leads to what is sent when a command has been refused."""
    return edge.label == "if refused"


def way_on(source: Node, target: Node, grid: Grid) -> Path:
    """A curve from the right of a box to the left of one in a later layer."""
    start, end = source.x + grid.width / 2, target.x - grid.width / 2
    bend = 0.55 * (end - start)
    points = [(start, source.y), (start + bend, source.y), (end - bend, target.y), (end, target.y)]
    return Path(points, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4])


def way_around(edge: Edge, source: Node, target: Node, grid: Grid, nodes: Iterable[Node]) -> Path:
    """A line out of the bottom of a box, below and left of everything, into the left of another box."""
    nodes = list(nodes)
    out = (_APART[0] * grid.width, _APART[1] * grid.height) if is_refusal(edge) else (0.0, 0.0)
    below = max(node.y for node in nodes) + _BELOW * grid.height + out[1]
    left = min(node.x for node in nodes) - _ASIDE * grid.width - out[0]
    start, x, under = source.x + out[0], source.x + out[0], source.y + grid.height / 2
    step = []
    if any(abs(node.x - source.x) < grid.width and node.y > source.y for node in nodes):
        # Round the boxes underneath; from left of the middle, so that the two lines do not cross.
        start, x = source.x - out[0], source.x + _ASIDE * grid.width + out[0]
        turn = under + _APART[1] * grid.height + out[1] / 2
        step = [(start, turn), (x, turn)]
    turned = [(x, below), (left, below), (left, target.y)]
    return Path([(start, under), *step, *turned, (target.x - grid.width / 2, target.y)])


_LETTERS = 6.0


class _Box(NamedTuple):
    """Where something stands, in points."""

    left: float
    low: float
    right: float
    high: float

    def meets(self, other: _Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.low < other.high
            and other.low < self.high
        )


@themed
def plot_process_managers(
    graph: ProcessGraphView, ax: Axes | None = None, *, theme: Theme | None = None
) -> Axes:
    """Draw which commands, events, aggregates and process managers lead to which, in layers.

    What has happened is solid, with how often; the rest is dashed. A thick edge marks what the moment is
    about. Signs tell how the chosen instance stands: what is done, on its way, refused, waited for or
    overdue; what it had to do with is tinted, and its arrows are dark or in the colour of the sign.
    """
    if not isinstance(graph, ProcessGraphView):
        raise InvalidValue(
            f"plot_process_managers({type(graph).__name__}): give the value of "
            "process_graph(trace, cursor, model), or call lab.plot_process_managers()"
        )
    grid = grid_of(graph.nodes)
    ax = axes_for("plot_process_managers", ax, (1.0 + 1.65 * grid.columns, 1.1 + 0.72 * grid.rows))
    _lay_out(ax, graph, grid)
    wide, high = size_in_points(ax)
    scale = wide / _span(ax.get_xlim()), high / _span(ax.get_ylim())
    marks = {mark.key: mark for mark in graph.marks}
    for node in graph.nodes:
        _mark_box(draw_box(ax, node, grid, scale[1] / scale[0]), graph, node, marks.get(node.key))
    _draw_edges(ax, graph, grid, marks)
    draw_names(ax, graph.nodes, (0.74 * grid.width * scale[0], 0.92 * grid.height * scale[1]))
    taken = _draw_signs(ax, graph, grid, scale, marks)
    _name_edges(ax, graph, grid, scale, taken)
    return ax


def _lay_out(ax: Axes, graph: ProcessGraphView, grid: Grid) -> None:
    across, down = [node.x for node in graph.nodes] or [0.5], [node.y for node in graph.nodes] or [0.5]
    ax.set_xlim(min(across) - 0.8 * grid.width, max(across) + 0.8 * grid.width)
    ax.set_ylim(max(down) + 1.05 * grid.height, min(down) - 0.75 * grid.height)
    ax.set_axis_off()
    _tell_chosen(ax, graph)
    kinds = {node.kind for node in graph.nodes}
    handles = [_legend_box(kind) for kind in _KINDS if kind in kinds]
    handles += [_line("has happened", 1.3), _line("has not happened", 0.9, happened=False)]
    if any(node.current for node in graph.nodes):
        handles.append(_line("this moment", 2.2))
    there = {mark.standing for mark in graph.marks} - {"waiting"}
    handles += [Line2D([], [], **sign(standing)) for standing in SIGNS if standing in there]
    if any(is_refusal(edge) for edge in graph.edges):
        handles.append(Line2D([], [], color=strong("refused"), linewidth=1.3, label="sent if refused"))
    legend_below(ax, handles, gap=4)
    if not graph.nodes:
        ax.text(0.5, 0.5, "there is nothing to show yet", ha="center", va="center", transform=ax.transAxes)


def _tell_chosen(ax: Axes, graph: ProcessGraphView) -> None:
    """A line above the graph: the instance looked at, its stage, and what it waits for."""
    if not graph.story:
        return
    ax.annotate(
        _in_two(graph.story, 8, room_across(ax)), (0.5, 1), (0, 2), xycoords=ax.transAxes,
        textcoords="offset points", ha="center", va="bottom", fontsize=8, annotation_clip=False, **AS_TEXT,
    )  # fmt: skip


def _in_two(text: str, size: float, room: float) -> str:
    """A text in one line, or in two where there is not enough room for it; what is left over is cut."""
    words, first = legible(text, 300).split(" "), 0
    while first < len(words) and width(" ".join(words[: first + 1]), size) <= room:
        first += 1
    lines = " ".join(words[:first]), fitted(" ".join(words[first:]), size, room)
    return "\n".join(each for each in lines if each)


def _mark_box(box: Patch, graph: ProcessGraphView, node: Node, mark: StatusMark | None) -> None:
    """What the chosen instance had to do with is tinted, and has the edge of its sign."""
    if graph.chosen is None:
        return
    state = None if mark is None or mark.standing in {"done", "waiting"} else mark.standing
    if mark is None or (node.kind == "event" and state in _AWAITED):
        box.set_facecolor(rcParams["axes.facecolor"])
    if state is not None:
        box.set(edgecolor=standing_colour(state), linewidth=2.4 if node.current else 1.8)


_AWAITED = {"waited for", "overdue"}


def _draw_signs(
    ax: Axes, graph: ProcessGraphView, grid: Grid, scale: tuple[float, float], marks: Mapping[str, StatusMark]
) -> list[_Box]:
    """The signs above the boxes, with their words where there is room; and what room they take."""
    room = (1 - 0.7) / 0.7 * grid.height * scale[1]
    taken = []
    for node in graph.nodes:
        mark = marks.get(node.key)
        if mark is None:
            continue
        x = node.x - grid.width / 2 + 0.5 * SIGN_SIZE / scale[0]
        y = node.y - grid.height / 2 - 0.4 * SIGN_SIZE / scale[1]
        ax.plot([x], [y], **{**sign(mark.standing), "label": "_sign"}, zorder=6, clip_on=False)
        word = legible(graph.word(node, mark), 40) if room > 1.2 * _LETTERS else ""
        left, wide = x * scale[0] + 0.7 * SIGN_SIZE, width(word, _LETTERS)
        if word and wide < grid.width * scale[0] - 1.4 * SIGN_SIZE:
            ax.text(
                left / scale[0], y - 2 / scale[1], word, ha="left", va="center", fontsize=_LETTERS, zorder=6,
                color=standing_colour(mark.standing), clip_on=False, **AS_TEXT,
            )  # fmt: skip
        high = y * scale[1] - 1
        taken.append(
            _Box(x * scale[0] - SIGN_SIZE / 2, high - SIGN_SIZE / 2, left + wide + 2, high + SIGN_SIZE / 2)
        )
    return taken


def _line(name: str, width: float, *, happened: bool = True) -> Line2D:
    pale = not happened and width < 2
    return Line2D(
        [], [], color=hue("later") if pale else rcParams["text.color"], linewidth=width, label=name,
        linestyle="-" if happened else (0, (3, 2)),
    )  # fmt: skip


_DASHES: Mapping[str, tuple[int, tuple[float, float]]] = {
    "in flight": (0, (5, 2)),
    "waited for": (0, (1.2, 1.6)),
    "overdue": (0, (1.2, 1.6)),
}


def _look(edge: Edge, mark: StatusMark | None, chosen: str | None) -> dict[str, Any]:
    """An arrow of the chosen instance is dark or in the colour of its sign; the others are pale."""
    happened = edge.count > 0
    ink = rcParams["text.color"]
    usual = strong("refused") if is_refusal(edge) else ink if happened and not chosen else hue("later")
    if mark is None:
        return {
            "color": usual,
            "linewidth": 1.3 if happened and not chosen else 0.9,
            "linestyle": "-" if happened else (0, (3, 2)),
            "zorder": 2 if happened else 1,
        }
    colour = standing_colour(mark.standing)
    if mark.standing == "done":
        colour = strong("refused") if is_refusal(edge) else ink
    return {
        "color": colour,
        "linewidth": 1.6,
        "linestyle": _DASHES.get(mark.standing, "-"),
        "zorder": 2.5,
    }


def _draw_edges(ax: Axes, graph: ProcessGraphView, grid: Grid, marks: Mapping[str, StatusMark]) -> None:
    nodes = {node.key: node for node in graph.nodes}
    for edge in graph.edges:
        look = _look(edge, marks.get(edge.key), graph.chosen)
        source, target = nodes[edge.source], nodes[edge.target]
        if leads_on(source, target):
            way = way_on(source, target, grid)
        else:
            way = way_around(edge, source, target, grid, graph.nodes)
        arrow = FancyArrowPatch(path=way, arrowstyle="-|>", mutation_scale=9, **look)
        ax.add_patch(arrow)


def _name_edges(
    ax: Axes, graph: ProcessGraphView, grid: Grid, scale: tuple[float, float], taken: list[_Box]
) -> None:
    """Name the edges for whose name there is room, those that happened first."""
    half = grid.width * scale[0] / 2, grid.height * scale[1] / 2
    nodes = {node.key: node for node in graph.nodes}
    places = {key: (node.x * scale[0], node.y * scale[1]) for key, node in nodes.items()}
    taken += [_Box(x - half[0], y - half[1], x + half[0], y + half[1]) for x, y in places.values()]
    ground = {"facecolor": rcParams["axes.facecolor"], "linewidth": 0, "pad": 0.6}
    forward = [edge for edge in graph.edges if leads_on(nodes[edge.source], nodes[edge.target])]
    for edge in sorted(forward, key=lambda edge: edge.count == 0):
        text = legible(f"{edge.label} ×{edge.count:,}" if edge.count else edge.label, 30)
        x, y = _middle(places[edge.source], places[edge.target])
        wide = width(text, _LETTERS) / 2 + 1
        box = _Box(x - wide, y - 0.7 * _LETTERS, x + wide, y + 0.7 * _LETTERS)
        if not text or any(box.meets(other) for other in taken):
            continue
        taken.append(box)
        ax.text(
            x / scale[0], y / scale[1], text, ha="center", va="center", fontsize=_LETTERS, zorder=5,
            bbox=ground, color=rcParams["text.color"] if edge.count else hue("later"), **AS_TEXT,
        )  # fmt: skip


def _middle(start: tuple[float, float], end: tuple[float, float]) -> tuple[float, float]:
    return (start[0] + end[0]) / 2, (start[1] + end[1]) / 2


def _span(limits: tuple[float, float]) -> float:
    return abs(limits[1] - limits[0])
