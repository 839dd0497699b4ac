"""The ways that the edges of the process graph take, so that none passes a box it has nothing to do with."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.path import Path

from calamity_lab.figures.boxes import Grid
from calamity_lab.views.process_graph import Edge, Node

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
