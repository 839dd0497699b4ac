"""The history of one field as matplotlib axes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.markers import MarkerStyle
from matplotlib.ticker import MaxNLocator

from calamity_lab.errors import InvalidValue
from calamity_lab.figures.axes import axes_for, say_instead, size_in_points
from calamity_lab.figures.lettering import AS_TEXT, fitted, ground, legible, room_for
from calamity_lab.figures.palette import LOOKS, palette
from calamity_lab.figures.table import WIDE
from calamity_lab.figures.theme import Theme, themed
from calamity_lab.views.state_history import FieldHistory

_LETTERS = 6.5
_MOST_MARKED = 60


@themed
def plot_field(
    view: FieldHistory, ax: Axes | None = None, *, name: str = "", theme: Theme | None = None
) -> Axes:
    """Draw what a field was as of each version: a line that holds a value until the next one.

    Numbers stand as high as they are great; other values have a row each, in order of appearance. What is
    yet to come at the cursor is grey and dashed. ``name`` stands above.
    """
    if not isinstance(view, FieldHistory):
        raise InvalidValue(
            f"plot_field({type(view).__name__}): give the value of field_history(revisions, path, cursor), "
            "or call lab.plot_field(stream_id, field)"
        )
    ax = axes_for("plot_field", ax, (WIDE, 2.3))
    if not view.versions:
        ax.set_axis_off()
        say_instead(ax, "nothing is known of this field yet")
        return ax
    places = _places(view)
    _lay_out(ax, view, name)
    _draw_line(ax, view, places)
    if view.kind == "numbers":
        _draw_values(ax, view, places)
    return ax


def _places(view: FieldHistory) -> list[float | None]:
    """How high each value stands."""
    if view.kind == "numbers":
        return list(view.heights)
    rows = {text: float(place) for place, text in enumerate(dict.fromkeys(view.values))}
    return [rows[text] for text in view.values]


def _lay_out(ax: Axes, view: FieldHistory, name: str) -> None:
    wide, _ = size_in_points(ax)
    span = max(view.versions[-1] - view.versions[0], 1)
    ax.set_xlim(view.versions[0] - 0.03 * span, view.versions[-1] + max(0.06 * span, 0.3))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if view.kind == "numbers":
        ax.set_ylim(-0.15, 1.25)
        ticks = {0.0: view.least, 1.0: view.most} if view.least != view.most else {0.5: view.least}
    else:
        ticks = {float(place): text for place, text in enumerate(dict.fromkeys(view.values))}
        ax.set_ylim(len(ticks) - 0.4, -0.6)
    texts = [fitted(text, 7, 0.3 * wide) for text in ticks.values()]
    ax.set_yticks(list(ticks), texts, fontsize=7, **AS_TEXT)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize=7)
    ax.set_xlabel(", ".join(["version", *_left_out(view)]), fontsize=7)
    ax.set_title(fitted(name, 8, 0.9 * wide), fontsize=8, **AS_TEXT)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)


def _left_out(view: FieldHistory) -> list[str]:
    skipped = [f"of which every {view.every:,} was looked at"] if view.every > 1 else []
    return [*skipped, *([f"{view.earlier:,} earlier changes are left out"] if view.earlier else [])]


def _draw_line(ax: Axes, view: FieldHistory, places: list[float | None]) -> None:
    """The steps from value to value, a mark for each, and where the cursor is."""
    ends = [*view.versions[1:], ax.get_xlim()[1]]
    looks: list[dict[str, Any]] = [
        {"color": rcParams["text.color"], "linewidth": 1.2, "zorder": 2},
        {"color": palette().later, "linewidth": 1.0, "dashes": (3, 2), "zorder": 2},
    ]
    for number, (version, end, place) in enumerate(zip(view.versions, ends, places, strict=True)):
        if place is not None:
            ax.plot([version, end], [place, place], solid_capstyle="butt", **looks[number >= view.past])
    for number, (before, after) in enumerate(pairwise(places), 1):
        if before is not None and after is not None:
            ax.plot([view.versions[number]] * 2, [before, after], **looks[number >= view.past])
    if len(view.versions) <= _MOST_MARKED:
        _draw_marks(ax, view, places)
    if 0 < view.past < len(view.versions):
        now = (view.versions[view.past - 1] + view.versions[view.past]) / 2
        ax.axvline(now, color=palette().soft, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)


def _draw_marks(ax: Axes, view: FieldHistory, places: list[float | None]) -> None:
    """An event at each version; version 0 is the state before the first of them."""
    for number, (version, place) in enumerate(zip(view.versions, places, strict=True)):
        if version and place is not None:
            ax.scatter(
                [version], [place], s=26, marker=MarkerStyle(LOOKS["event"].marker), zorder=3, linewidths=0.5,
                color=palette().later if number >= view.past else LOOKS["event"].colour,
                edgecolors=rcParams["axes.facecolor"], clip_on=False,
            )  # fmt: skip


def _draw_values(ax: Axes, view: FieldHistory, places: list[float | None]) -> None:
    """The values above the line, where there is room for them; the last ones first."""
    wide, _ = size_in_points(ax)
    low, high = ax.get_xlim()
    scale, free = wide / (high - low), wide
    for number in range(len(places) - 1, -1, -1):
        place, text = places[number], legible(view.values[number], 24)
        left = (view.versions[number] - low) * scale + 5
        if place is None or left + room_for(text, _LETTERS) + 2 > free:
            continue
        free = left
        ax.annotate(
            text, (view.versions[number], place), (5, 3), textcoords="offset points", fontsize=_LETTERS,
            color=palette().later if number >= view.past else rcParams["text.color"], zorder=4,
            bbox=ground(rcParams["axes.facecolor"]), annotation_clip=False, **AS_TEXT,
        )  # fmt: skip
