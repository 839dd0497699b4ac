"""The process graph as matplotlib axes."""

from __future__ import annotations

from typing import Any

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, PathPatch
from matplotlib.transforms import Affine2D

from calamity_lab.figures.style import (
    AS_TEXT,
    Theme,
    axes_for,
    fitted,
    hue,
    legend_below,
    legible,
    marker,
    path_of,
    plots,
    room_across,
    say_instead,
    sign,
    size_in_points,
    soft,
    status_colour,
    strong,
    width,
)
from calamity_lab.views.instance_status import StatusMark
from calamity_lab.views.looks import SIGNS
from calamity_lab.views.process_graph import Edge, Node, ProcessGraphView
from calamity_lab.views.scenes import BOX_HIGH, BOX_WIDE, NAME_ROOM, Box, Stroke, Way

_KINDS = ("command", "event", "process manager", "aggregate")
"""The kinds of boxes, in the order of the legend."""

_USUAL = 0.78
"""The length of a pixel of the scene in points, if no axes are given."""
_NAMES, _WORDS = 12, 10
"""The letters of names and of words, in pixels of the scene."""
_LEAST = 5.0
"""The least height of letters in points: names are cut to this size, and words below it are left out."""


@plots(ProcessGraphView, "the value of process_graph(trace, cursor, model)")
def plot_process_managers(
    graph: ProcessGraphView, ax: Axes | None = None, *, theme: Theme | None = None
) -> Axes:
    """Draw which commands, events, aggregates and process managers lead to which, in layers.

    A node or edge that has happened is solid, with a count; the rest is dashed. A thick outline marks what
    the moment is about. Signs show the status of the chosen instance: done, on its way, rejected, waited for
    or overdue. Its nodes are tinted, and its arrows are dark or in the colour of the sign.
    """
    scene = graph.scene
    across, down = max(scene.width, 300) * _USUAL / 72, max(scene.height, 100) * _USUAL / 72
    ax = axes_for("plot_process_managers", ax, (across + 0.3, down + (1.3 if graph.story else 0.9)))
    _lay_out(ax, graph)
    if not graph.nodes:
        say_instead(ax, "there is nothing to show yet")
        return ax
    wide, _ = size_in_points(ax)
    scale = wide / scene.width
    marks = {mark.key: mark for mark in graph.marks}
    edges = {edge.key: edge for edge in graph.edges}
    for way in scene.ways:
        _draw_way(ax, way, graph.edge_look(edges[way.key], marks.get(way.key)), scale)
        _write_on_way(ax, way, edges[way.key], scale)
    for node, box in zip(graph.nodes, scene.boxes, strict=True):
        mark = marks.get(node.key)
        _draw_box(ax, node, box, graph.look(node, mark), scale)
        _write_above(ax, graph, node, box, mark, scale)
    _draw_names(ax, graph, scale)
    return ax


def _lay_out(ax: Axes, graph: ProcessGraphView) -> None:
    ax.set_xlim(0, max(graph.scene.width, 1))
    ax.set_ylim(max(graph.scene.height, 1), 0)
    ax.set_aspect("equal")
    ax.set_axis_off()
    _describe_chosen(ax, graph)
    kinds = {node.kind for node in graph.nodes}
    handles = [_legend_box(kind) for kind in _KINDS if kind in kinds]
    handles += [_line("has happened", 1.3), _line("has not happened", 0.9, happened=False)]
    if any(node.current for node in graph.nodes):
        handles.append(_line("this moment", 2.2))
    there = {mark.status for mark in graph.marks} - {"waiting"}
    handles += [Line2D([], [], **sign(status)) for status in SIGNS if status in there]
    if any(edge.label == "if rejected" for edge in graph.edges):
        handles.append(Line2D([], [], color=strong("rejected"), linewidth=1.3, label="sent if rejected"))
    legend_below(ax, handles, gap=4)


def _legend_box(kind: str) -> Line2D:
    """How the legend shows a kind of box."""
    return Line2D(
        [], [], linestyle="", markersize=7, marker=marker(kind), markerfacecolor=soft(kind), label=kind,
        markeredgecolor=strong(kind), markeredgewidth=0.9,
    )  # fmt: skip


def _describe_chosen(ax: Axes, graph: ProcessGraphView) -> None:
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


def _draw_box(ax: Axes, node: Node, box: Box, look: Stroke, scale: float) -> None:
    outline = path_of(box.outline).transformed(Affine2D().translate(box.x, box.y))
    patch = PathPatch(outline, **_stroke(look, scale), zorder=3)
    patch.set_facecolor(soft(node.kind) if look.is_filled else rcParams["axes.facecolor"])
    patch.set_edgecolor(hue(look.colour))
    ax.add_patch(patch)


def _draw_way(ax: Axes, way: Way, look: Stroke, scale: float) -> None:
    ax.add_patch(
        FancyArrowPatch(
            path=path_of(way.line),
            arrowstyle="-|>",
            mutation_scale=max(4.0, 11 * scale),
            color=hue(look.colour),
            zorder=2.5 if look.width > 1.8 else 2,
            **_stroke(look, scale),
        )
    )


def _stroke(look: Stroke, scale: float) -> dict[str, Any]:
    # matplotlib measures dashes in widths of the line.
    dashes = tuple(float(each) / look.width for each in look.dash.split())
    return {"linewidth": look.width * scale, "linestyle": (0, dashes) if dashes else "-"}


def _write_on_way(ax: Axes, way: Way, edge: Edge, scale: float) -> None:
    ink = strong("deadline") if edge.when else rcParams["text.color"] if edge.count else hue("later")
    for word in way.words:
        _write(ax, *word, _WORDS * scale, ink, "left")


def _write_above(
    ax: Axes, graph: ProcessGraphView, node: Node, box: Box, mark: StatusMark | None, scale: float
) -> None:
    """How often it happened, and the sign of the instance with its word, as far as there is room."""
    size = _WORDS * scale
    often = f"×{node.count:,}" if node.count else ""
    _write(ax, box.x + BOX_WIDE - 2, box.y - 4, often, size, hue("ink-soft"), "right")
    if mark is None:
        return
    dressed = {**sign(mark.status), "label": "_sign", "markersize": max(4.0, 15 * scale)}
    ax.plot([box.x + 8], [box.y - 5], **dressed, zorder=6, clip_on=False)
    room = (BOX_WIDE - 24) * scale - width(often, size) - 4
    word = fitted(graph.word(node, mark), size, room)
    _write(ax, box.x + 19, box.y - 4, word, size, status_colour(mark.status), "left")
    if node.kind == "process manager" and graph.chosen is not None:
        name_text = fitted(graph.chosen, size, NAME_ROOM * scale)
        _write(ax, box.x + 26, box.y + BOX_HIGH + 12, name_text, size, hue("ink-soft"), "left")


def _write(ax: Axes, x: float, y: float, text: str, size: float, ink: Any, align: Any) -> None:
    if text and size >= _LEAST:
        ax.text(
            x, y, text, ha=align, va="baseline", fontsize=size, color=ink, zorder=5, clip_on=False, **AS_TEXT
        )


def _draw_names(ax: Axes, graph: ProcessGraphView, scale: float) -> None:
    """The headings, and the names in the boxes: cut where the axes are too small for them."""
    for heading in graph.scene.headings:
        size = max((_WORDS + 1) * scale, _LEAST)
        words = fitted(heading.text, size, BOX_WIDE * scale)
        ax.text(heading.x, 14, words, ha="center", fontsize=size, color=hue("ink-soft"), **AS_TEXT)
    for node, box in zip(graph.nodes, graph.scene.boxes, strict=True):
        size = max((_NAMES if len(box.lines) == 1 else _NAMES - 1) * scale, _LEAST)
        lines = [fitted(line, size, (BOX_WIDE - 14) * scale) for line in box.lines]
        ax.text(
            box.x + BOX_WIDE / 2, box.y + BOX_HIGH / 2, "\n".join(lines), ha="center", va="center",
            fontsize=size, linespacing=1.0, zorder=4, clip_on=False,
            color=hue("ink") if node.count else rcParams["text.color"], **AS_TEXT,
        )  # fmt: skip


def _line(name: str, width: float, *, happened: bool = True) -> Line2D:
    pale = not happened and width < 2
    return Line2D(
        [], [], color=hue("later") if pale else rcParams["text.color"], linewidth=width, label=name,
        linestyle="-" if happened else (0, (3, 2)),
    )  # fmt: skip
