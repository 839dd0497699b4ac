"""What a figure shows, read off its axes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.text import Text
from matplotlib.transforms import Bbox


def texts(ax: Axes) -> list[str]:
    """Every text that is drawn in or beside the axes."""
    return [text.get_text() for text in lettering(ax)]


def overprinted(ax: Axes) -> list[tuple[str, str]]:
    """The pairs of texts that cover one another."""
    ax.get_figure(root=True).draw_without_rendering()
    boxes = [(text.get_text(), _box(text)) for text in lettering(ax)]
    return [
        (one, other)
        for (one, first), (other, second) in combinations(boxes, 2)
        if (met := Bbox.intersection(first, second)) is not None and met.width > 1 and met.height > 1
    ]


def marks(ax: Axes) -> int:
    """How many marks are scattered on the axes."""
    return sum(len(collection.get_offsets()) for collection in ax.collections)


def lettering(ax: Axes) -> Iterator[Text]:
    """Everything that is written in or beside the axes."""
    legend = ax.get_legend()
    everything = [
        *ax.texts,
        *([*_named_ticks(ax.yaxis), *_named_ticks(ax.xaxis), ax.xaxis.label] if ax.axison else ()),
        ax.title,
        *(legend.get_texts() if legend else ()),
    ]
    yield from (text for text in everything if text.get_text().strip() and text.get_visible())


def _named_ticks(axis: Axis) -> list[Text]:
    """The names of the ticks in sight; an axis keeps some more beyond its ends."""
    low, high = sorted(axis.get_view_interval())
    return [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


def _box(text: Text) -> Bbox:
    # The text alone: an annotation's own extent has the path to its point in it.
    return Text.get_window_extent(text)


def ink(collection: Any) -> Any:
    """The colour of a mark: of a filled one its face, else its line."""
    faces = collection.get_facecolors()
    return (faces if len(faces) else collection.get_edgecolors())[0][:3]
