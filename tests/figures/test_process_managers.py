"""The process graph as axes: what has happened solid, the rest dashed, each name legible."""

from __future__ import annotations

import warnings
from math import hypot
from typing import Any

import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Patch
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

from calamity_lab.errors import InvalidValue
from calamity_lab.examples import bank
from calamity_lab.figures import plot_process_managers
from calamity_lab.figures.style import strong
from calamity_lab.model import Model
from calamity_lab.views.looks import COLOURS, SIGNS
from calamity_lab.views.process_graph import EVERYTHING, Edge, Node, ProcessGraphView, process_graph
from calamity_lab.views.scenes import BOX_HIGH, BOX_WIDE, graph_scene
from tests.figures.drawing import overprinted, texts
from tests.figures.plots import SHOP
from tests.frames.histories import bank_day, shop_week

BANK = Model.find(bank)


def graph(*nodes: Node, edges: tuple[Edge, ...] = ()) -> ProcessGraphView:
    return ProcessGraphView((), "", nodes, edges, (), None, scene=graph_scene(nodes, edges))


def node(kind: Any, name: str, x: float, **known: Any) -> Node:
    values = {"y": 0.5, "count": 0, "current": False} | known
    return Node(f"{kind}:{name}", kind, name, x, **values)


def of_bank(cursor: int) -> ProcessGraphView:
    return process_graph(bank_day(), cursor, BANK)


def boxes(ax: Axes) -> list[Patch]:
    return [patch for patch in ax.patches if not isinstance(patch, FancyArrowPatch)]


def arrows(ax: Axes) -> list[FancyArrowPatch]:
    return [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]


def test_there_is_a_box_for_each_node_and_an_arrow_for_each_edge() -> None:
    found = of_bank(40)
    ax = plot_process_managers(found)
    assert len(boxes(ax)) == len(found.nodes)
    assert len(arrows(ax)) == len(found.edges)


@pytest.mark.parametrize("cursor", [0, 25, 68])
def test_what_has_happened_is_solid_and_the_rest_is_dashed(cursor: int) -> None:
    found = of_bank(cursor)
    ax = plot_process_managers(found)
    marks = {mark.key: mark.status for mark in found.marks}
    solid = [arrow.get_linestyle() == "-" for arrow in arrows(ax)]
    assert solid == [
        marks[edge.key] in {"done", "rejected"} if edge.key in marks else edge.count > 0
        for edge in found.edges
    ]
    assert [box.get_linestyle() == "-" for box in boxes(ax)] == [each.count > 0 for each in found.nodes]


def signs(ax: Axes) -> list[str]:
    """The colours of the signs that are drawn, one each."""
    return [line.get_markeredgecolor() for line in ax.lines if line.get_label() == "_sign"]


@pytest.mark.parametrize(("theme", "place"), [("light", 0), ("dark", 1)])
def test_each_status_has_its_sign_its_word_and_a_line_in_the_legend(theme: Any, place: int) -> None:
    found = of_bank(58)
    ax = plot_process_managers(found, theme=theme)
    nodes = {node.key for node in found.nodes}
    states = [mark.status for mark in found.marks if mark.key in nodes]
    assert sorted(signs(ax)) == sorted(COLOURS[SIGNS[state].colour][place] for state in states)
    shown = texts(ax)
    assert {"rejected", "instead", "waited for", "waits", "done", "on its way"} <= set(shown)


def test_what_the_instance_has_not_reached_is_not_tinted() -> None:
    found = of_bank(58)
    ax = plot_process_managers(found)
    marks = {mark.key: mark.status for mark in found.marks}
    tinted = [not same_color(box.get_facecolor(), "white") for box in boxes(ax)]
    assert tinted == [
        node.count > 0 and marks.get(node.key, "waited for") != "waited for" for node in found.nodes
    ]


def test_a_long_sentence_above_stands_in_two_lines() -> None:
    (text,) = [each for each in texts(plot_process_managers(of_bank(58))) if "waits for" in each]
    assert text.split("\n")[1].endswith("(since step 58)")


def test_a_name_stands_with_how_often_it_happened() -> None:
    shown = texts(plot_process_managers(of_bank(68)))
    assert {"TransferInitiated", "Transfer\nCancelled", "×2"} <= set(shown)


def test_the_chosen_instance_is_shown_with_its_stage_and_what_it_waits_for() -> None:
    shown = texts(plot_process_managers(of_bank(50)))
    (text,) = [each.replace("\n", " ") for each in shown if each.startswith("Transfer-gift")]
    assert text == (
        "Transfer-gift: “initiated”, waits for FundsWithdrawn: WithdrawFunds is on its way "
        "(since step 49: 1 step)"
    )
    assert "waited for" in shown


def test_what_the_moment_is_about_has_a_thick_edge() -> None:
    ax = plot_process_managers(graph(node("event", "Seen", 0, current=True), node("event", "Unseen", 1)))
    assert [box.get_linewidth() > 2 for box in boxes(ax)] == [True, False]


@pytest.mark.parametrize("size", [(4, 2), (9, 3), (5, 9)])
def test_each_box_has_the_outline_of_its_scene_on_axes_of_any_size(size: tuple[float, float]) -> None:
    kinds = ("command", "aggregate", "event", "process manager")
    found = graph(*(node(kind, "It", x) for x, kind in enumerate(kinds)))
    ax = plot_process_managers(found, ax=Figure(figsize=size).subplots())
    ax.figure.draw_without_rendering()  # type: ignore[union-attr]
    shapes = [box.get_window_extent() for box in boxes(ax)]
    assert [shape.width / shape.height for shape in shapes] == pytest.approx([BOX_WIDE / BOX_HIGH] * 4)
    corners = [len({tuple(corner) for corner in box.get_path().vertices}) for box in boxes(ax)]
    assert (corners[0], corners[2], corners[3]) == (5, 6, 6)


def test_the_ends_of_an_aggregate_are_half_circles() -> None:
    ax = plot_process_managers(graph(node("aggregate", "Order", 0), node("event", "Done", 1)))
    pill = boxes(ax)[0].get_path()
    high = BOX_HIGH / 2
    points = pill.transformed(Affine2D().scale(10)).to_polygons()[0] / 10
    left, right = points[:, 0].min() + high, points[:, 0].max() - high
    middle = (points[:, 1].min() + points[:, 1].max()) / 2
    ends = [(x, y) for x, y in points if x < left - 1 or x > right + 1]
    assert len(ends) > 10
    far = [hypot(x - (left if x < left else right), y - middle) for x, y in ends]
    assert far == pytest.approx([high] * len(far), rel=0.02)


@pytest.mark.parametrize("manager", [None, "Replenishment", EVERYTHING])
def test_no_edge_crosses_a_box(manager: str | None) -> None:
    found = process_graph(shop_week(), 210, SHOP, manager=manager)
    ax = plot_process_managers(found)
    inner = [box.get_window_extent().padded(-1) for box in boxes(ax)]
    for arrow in arrows(ax):
        drawn = arrow.get_transform().transform_path(arrow.get_path())
        lines = [Path(points) for points in drawn.to_polygons(closed_only=False)]
        assert not any(line.intersects_bbox(box, filled=False) for line in lines for box in inner)


def test_what_a_process_manager_sends_leaves_at_its_bottom_and_enters_the_command_from_the_left() -> None:
    found = graph(
        node("command", "Do", 0), node("event", "Done", 1), node("process manager", "Doing", 2),
        edges=(Edge("process manager:Doing", "command:Do", "sends", 1),),
    )  # fmt: skip
    ax = plot_process_managers(found)
    do, done, doing = (box.get_window_extent() for box in boxes(ax))
    (arrow,) = arrows(ax)
    way = arrow.get_transform().transform_path(arrow.get_path()).vertices
    assert doing.x0 < way[0][0] < doing.x1
    assert way[0][1] == pytest.approx(doing.y0, abs=1)
    assert way[:, 1].min() < done.y0
    assert way[:, 0].min() < do.x0
    assert way[:, 1].max() < do.y1


def test_what_is_sent_if_rejected_is_red_and_runs_beside_what_is_sent_otherwise() -> None:
    sends, rejected = (Edge("process manager:P", "command:C", label, 1) for label in ("sends", "if rejected"))
    found = graph(node("command", "C", 0), node("process manager", "P", 1), edges=(sends, rejected))
    ax = plot_process_managers(found)
    usual, red = arrows(ax)
    assert same_color(red.get_edgecolor(), strong("rejected"))
    assert not same_color(usual.get_edgecolor(), strong("rejected"))
    assert red.get_window_extent().x0 < usual.get_window_extent().x0
    assert red.get_window_extent().y0 < usual.get_window_extent().y0
    assert "sent if rejected" in texts(ax)


@pytest.mark.parametrize("manager", [None, "Replenishment", EVERYTHING])
@pytest.mark.parametrize("cursor", [0, 100, 210])
def test_no_text_stands_over_another(manager: str | None, cursor: int) -> None:
    found = process_graph(shop_week(), cursor, SHOP, manager=manager)
    assert not overprinted(plot_process_managers(found))


def test_names_that_are_too_long_for_small_axes_are_cut() -> None:
    ax = Figure(figsize=(3.5, 3), layout="constrained").subplots()
    found = process_graph(bank_day(), 40, BANK)
    assert not overprinted(plot_process_managers(found, ax=ax))


@pytest.mark.parametrize("name", ["$x$", "$", "a_b", "😀", "two\nlines", "W" * 300, ""])
def test_any_name_is_drawn_as_text(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        edge = Edge(f"command:{name}", f"event:{name}", name, 1)
        ax = plot_process_managers(graph(node("command", name, 0), node("event", name, 1), edges=(edge,)))
        ax.figure.canvas.draw()
    assert all(not text.get_parse_math() for text in ax.texts)


def test_a_graph_without_nodes_says_so() -> None:
    assert "there is nothing to show yet" in texts(plot_process_managers(graph()))


def test_the_axes_given_are_the_axes_returned_and_pyplot_is_left_alone() -> None:
    ax = Figure().subplots()
    assert plot_process_managers(of_bank(10), ax=ax) is ax
    assert plt.get_fignums() == []


def test_what_are_no_axes_is_rejected() -> None:
    with pytest.raises(InvalidValue, match="must be one matplotlib Axes"):
        plot_process_managers(of_bank(10), ax="here")  # type: ignore[arg-type]


def test_what_is_no_process_graph_is_rejected() -> None:
    with pytest.raises(InvalidValue, match=r"lab\.plot_process_managers\(\)"):
        plot_process_managers(bank_day())  # type: ignore[arg-type]
