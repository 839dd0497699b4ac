"""The boxes of the process graph: their place, their shape, and their lettering."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.markers import MarkerStyle
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path

from calamity_lab.figures.lettering import AS_TEXT, legible, width
from calamity_lab.figures.palette import palette
from calamity_lab.figures.signs import COMMAND_SIGN, HEXAGON, NOTE, PILL, pill
from calamity_lab.views.process_graph import Node

KINDS: Mapping[str, Path] = {
    "command": COMMAND_SIGN,
    "event": NOTE,
    "process manager": HEXAGON,
    "aggregate": PILL,
}
"""The signs of the kinds of boxes, in the order in which the legend tells them."""

_LARGEST, _SMALLEST = 8.5, 5.0
_LINE = 1.25


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
    hue = palette().hues[node.kind]
    patch = PathPatch(_outline(node, grid, steep))
    patch.set_facecolor(hue.soft if happened else rcParams["axes.facecolor"])
    patch.set_edgecolor(rcParams["text.color"] if node.current else hue.strong)
    patch.set_linewidth(2.2 if node.current else 1.2)
    patch.set_linestyle("-" if happened else (0, (3, 2)))
    patch.set_zorder(3)
    ax.add_patch(patch)
    return patch


def draw_names(ax: Axes, nodes: Sequence[Node], room: tuple[float, float]) -> None:
    """The names in the boxes, all in the largest size in which they fit into ``room`` (points)."""
    most = max(1, int(room[1] // (_SMALLEST * _LINE)))
    lettered = {node.key: _lines(node, most) for node in nodes}
    size = min((_fitting(lines, room) for lines in lettered.values()), default=_LARGEST)
    for node in nodes:
        lines = [_cut(line, size, room[0]) for line in lettered[node.key]]
        ax.text(
            node.x, node.y, "\n".join(lines), ha="center", va="center", fontsize=size, linespacing=1.1,
            zorder=4, color=palette().ink if node.count else rcParams["text.color"], clip_on=False, **AS_TEXT,
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
    by_height = room[1] / (_LINE * len(lines))
    return max(_SMALLEST, min(_LARGEST, by_width, by_height))


def _cut(line: str, size: float, room: float) -> str:
    while len(line) > 2 and width(line, size) > room:
        line = f"{line[:-2]}…"
    return line


def marker(kind: str) -> dict[str, Any]:
    """How the legend shows a kind."""
    hue = palette().hues[kind]
    return {
        "marker": MarkerStyle(KINDS[kind]), "markerfacecolor": hue.soft, "label": kind,
        "markeredgecolor": hue.strong, "markeredgewidth": 0.9,
    }  # fmt: skip
