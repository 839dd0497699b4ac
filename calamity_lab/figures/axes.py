"""The axes that a figure is drawn on: the ones given, or new ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from calamity_lab.errors import InvalidValue
from calamity_lab.figures.lettering import AS_TEXT

_LEGEND_COLUMN = 85


def axes_for(call: str, ax: Any, size: tuple[float, float]) -> Axes:
    """The axes given; without any, those of a new pyplot figure of that size in inches: notebooks show it."""
    if isinstance(ax, Axes):
        return ax
    if ax is not None:
        raise InvalidValue(
            f"{call}(ax={type(ax).__name__}): ax must be one matplotlib Axes, as in "
            f"`fig, ax = plt.subplots()`; of several axes give one, as in axes[0]"
        )
    from matplotlib import pyplot as plt

    axes: Axes = plt.figure(figsize=size, layout="constrained").add_subplot()
    return axes


def legend_below(ax: Axes, handles: Sequence[Line2D], *, gap: float) -> None:
    """A legend ``gap`` points under the axes, in as many columns as there is room for."""
    columns = max(1, min(len(handles), int(room_across(ax) // _LEGEND_COLUMN)))
    ax.legend(
        handles=handles, loc="upper center", ncols=columns, frameon=False, fontsize=7, borderaxespad=0,
        handletextpad=0.4, columnspacing=1.2, bbox_to_anchor=(0.5, 0),
        bbox_transform=ax.transAxes + ScaledTranslation(0, -gap / 72, _figure(ax).dpi_scale_trans),
    )  # fmt: skip


def room_across(ax: Axes) -> float:
    """The width of the axes in points, as it is before the figure is laid out."""
    return float(ax.get_window_extent().width) * 72 / _figure(ax).dpi


def size_in_points(ax: Axes) -> tuple[float, float]:
    """The width and height of the axes in points, once the figure is laid out."""
    figure = _figure(ax)
    figure.draw_without_rendering()
    box = ax.get_window_extent()
    scale = 72 / figure.dpi
    return box.width * scale, box.height * scale


def in_points(ax: Axes) -> tuple[float, float]:
    """How many points the axes are wide and high, once a unit of theirs is a point and 0, 0 is at the top."""
    ax.set_axis_off()
    wide, high = size_in_points(ax)
    ax.set_xlim(0, wide)
    ax.set_ylim(high, 0)
    return wide, high


def _figure(ax: Axes) -> Figure:
    figure = ax.get_figure(root=True)
    assert figure is not None, "axes that are drawn on stand in a figure"
    return figure


def say_instead(ax: Axes, told: str) -> None:
    """What is said where there is nothing to draw."""
    ax.text(0.5, 0.5, told, transform=ax.transAxes, ha="center", va="center", **AS_TEXT)
