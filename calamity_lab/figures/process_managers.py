"""The process graph as matplotlib axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Patch
from matplotlib.path import Path

from calamity_lab.errors import InvalidValue
from calamity_lab.figures.axes import axes_for, legend_below, size_in_points
from calamity_lab.figures.boxes import COLOURS, Grid, draw_box, draw_names, grid_of, marker
from calamity_lab.figures.lettering import AS_TEXT, legible, width
from calamity_lab.figures.palette import FUTURE, REFUSAL
from calamity_lab.views.process_graph import Edge, Node, ProcessGraph

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


def plot_process_managers(graph: ProcessGraph, ax: Axes | None = None) -> Axes:
    """Draw which commands, events, aggregates and process managers lead to which, in layers.

    What has happened is full and solid, with how often; the rest is pale and dashed. A thick edge marks what
    the moment is about, a thick dashed one what the chosen instance waits for.
    """
    if not isinstance(graph, ProcessGraph):
        raise InvalidValue(
            f"plot_process_managers({type(graph).__name__}): give the value of "
            "process_graph(trace, cursor, model), or call lab.plot_process_managers()"
        )
    grid = grid_of(graph.nodes)
    ax = axes_for("plot_process_managers", ax, (1.0 + 1.65 * grid.columns, 1.1 + 0.72 * grid.rows))
    _lay_out(ax, graph, grid)
    patches = {node.key: draw_box(ax, node, grid) for node in graph.nodes}
    places = {node.key: node for node in graph.nodes}
    for edge in graph.edges:
        if _leads_back(edge, places):
            _draw_bus(ax, edge, places, grid, graph.nodes)
        else:
            _draw_edge(ax, edge, places, patches, _bend(edge, graph.edges))
    wide, high = size_in_points(ax)
    scale = wide / _span(ax.get_xlim()), high / _span(ax.get_ylim())
    draw_names(ax, graph.nodes, (0.74 * grid.width * scale[0], 0.92 * grid.height * scale[1]))
    _name_edges(ax, graph, grid, scale)
    return ax


def _lay_out(ax: Axes, graph: ProcessGraph, grid: Grid) -> None:
    across, down = [node.x for node in graph.nodes] or [0.5], [node.y for node in graph.nodes] or [0.5]
    ax.set_xlim(min(across) - 0.8 * grid.width, max(across) + 0.8 * grid.width)
    ax.set_ylim(max(down) + 1.05 * grid.height, min(down) - 0.75 * grid.height)
    ax.set_axis_off()
    _tell_chosen(ax, graph)
    kinds = {node.kind for node in graph.nodes}
    shown: list[dict[str, Any]] = [marker(kind) for kind in COLOURS if kind in kinds]
    handles = [Line2D([], [], linestyle="", markersize=7, **look) for look in shown]
    handles += [_line("has happened", 1.3), _line("has not happened", 0.9, happened=False)]
    if any(node.current for node in graph.nodes):
        handles.append(_line("this moment", 2.2))
    if any(node.waited_for for node in graph.nodes):
        handles.append(_line("waited for", 2.2, happened=False))
    if any(_is_refusal(edge) for edge in graph.edges):
        handles.append(Line2D([], [], color=REFUSAL, linewidth=1.3, label="sent if refused"))
    legend_below(ax, handles, gap=4)
    if not graph.nodes:
        ax.text(0.5, 0.5, "there is nothing to show yet", ha="center", va="center", transform=ax.transAxes)


def _tell_chosen(ax: Axes, graph: ProcessGraph) -> None:
    """A line above the graph: the instance looked at, its stage, and what it waits for."""
    chosen = next((each for each in graph.instances if each.id == graph.chosen), None)
    if chosen is None:
        return
    told = ", ".join(part for part in (chosen.stage, _waiting(chosen.waits_for)) if part)
    ax.annotate(
        legible(f"{chosen.stream_id}: {told or chosen.status}", 90), (0.5, 1), (0, 2), xycoords=ax.transAxes,
        textcoords="offset points", ha="center", va="bottom", fontsize=8, annotation_clip=False, **AS_TEXT,
    )  # fmt: skip


def _waiting(events: tuple[str, ...]) -> str:
    return f"waits for {' or '.join(events)}" if events else ""


def _line(name: str, width: float, *, happened: bool = True) -> Line2D:
    pale = not happened and width < 2
    return Line2D(
        [], [], color=FUTURE if pale else rcParams["text.color"], linewidth=width, label=name,
        linestyle="-" if happened else (0, (3, 2)),
    )  # fmt: skip


def _leads_back(edge: Edge, places: Mapping[str, Node]) -> bool:
    return places[edge.target].x < places[edge.source].x


def _is_refusal(edge: Edge) -> bool:
    return edge.label == "if refused"


def _bend(edge: Edge, edges: Iterable[Edge]) -> float:
    """How far an edge leaves the straight line: where another leads the other way."""
    return 0.22 if edge.source == edge.target or _opposed(edge, edges) else 0.0


def _opposed(edge: Edge, edges: Iterable[Edge]) -> bool:
    return any(other.source == edge.target and other.target == edge.source for other in edges)


def _look(edge: Edge) -> dict[str, Any]:
    happened = edge.count > 0
    usual = rcParams["text.color"] if happened else FUTURE
    return {
        "color": REFUSAL if _is_refusal(edge) else usual,
        "linewidth": 1.3 if happened else 0.9,
        "linestyle": "-" if happened else (0, (3, 2)),
        "zorder": 2 if happened else 1,
    }


def _draw_bus(ax: Axes, edge: Edge, places: Mapping[str, Node], grid: Grid, nodes: Iterable[Node]) -> None:
    """An edge that leads back goes around everything: it must not seem to come from what it passes."""
    source, target, half = places[edge.source], places[edge.target], grid.width / 2
    right = max(node.x for node in nodes) + 1.3 * half
    left = min(node.x for node in nodes) - 1.3 * half
    below = max(node.y for node in nodes) + 0.85 * grid.height
    way = [
        (source.x + half, source.y), (right, source.y), (right, below),
        (left, below), (left, target.y), (target.x - half, target.y),
    ]  # fmt: skip
    arrow = FancyArrowPatch(path=Path(way), arrowstyle="-|>", mutation_scale=9, fill=False, **_look(edge))
    ax.add_patch(arrow)


def _draw_edge(
    ax: Axes, edge: Edge, places: Mapping[str, Node], patches: Mapping[str, Patch], bend: float
) -> None:
    source, target = places[edge.source], places[edge.target]
    ax.add_patch(
        FancyArrowPatch(
            (source.x, source.y), (target.x, target.y), patchA=patches[edge.source],
            patchB=patches[edge.target], shrinkA=1, shrinkB=1, arrowstyle="-|>", mutation_scale=9,
            connectionstyle=f"arc3,rad={bend}", **_look(edge),
        )
    )  # fmt: skip


def _name_edges(ax: Axes, graph: ProcessGraph, grid: Grid, scale: tuple[float, float]) -> None:
    """Name the edges for whose name there is room, those that happened first."""
    half = grid.width * scale[0] / 2, grid.height * scale[1] / 2
    nodes = {node.key: node for node in graph.nodes}
    places = {key: (node.x * scale[0], node.y * scale[1]) for key, node in nodes.items()}
    taken = [_Box(x - half[0], y - half[1], x + half[0], y + half[1]) for x, y in places.values()]
    ground = {"facecolor": rcParams["axes.facecolor"], "linewidth": 0, "pad": 0.6}
    forward = [edge for edge in graph.edges if not _leads_back(edge, nodes)]
    for edge in sorted(forward, key=lambda edge: edge.count == 0):
        text = legible(f"{edge.label} ×{edge.count:,}" if edge.count else edge.label, 30)
        x, y = _middle(places[edge.source], places[edge.target], _bend(edge, graph.edges))
        wide = width(text, _LETTERS) / 2 + 1
        box = _Box(x - wide, y - 0.7 * _LETTERS, x + wide, y + 0.7 * _LETTERS)
        if not text or any(box.meets(other) for other in taken):
            continue
        taken.append(box)
        ax.text(
            x / scale[0], y / scale[1], text, ha="center", va="center", fontsize=_LETTERS, zorder=5,
            bbox=ground, color=rcParams["text.color"] if edge.count else FUTURE, **AS_TEXT,
        )  # fmt: skip


def _middle(start: tuple[float, float], end: tuple[float, float], bend: float) -> tuple[float, float]:
    """The middle of an edge; ``y`` runs downwards, as on the axes."""
    across, down = end[0] - start[0], end[1] - start[1]
    return (start[0] + end[0] - bend * down) / 2, (start[1] + end[1] + bend * across) / 2


def _span(limits: tuple[float, float]) -> float:
    return abs(limits[1] - limits[0])
