"""Every plot there is, ready to be drawn on axes and in themes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from matplotlib.axes import Axes

from calamity_lab.examples import fulfilment
from calamity_lab.figures import (
    plot_agenda,
    plot_events,
    plot_field,
    plot_process_managers,
    plot_sequence,
    plot_state,
    plot_timeline,
)
from calamity_lab.model import Model
from calamity_lab.views.agenda import agenda
from calamity_lab.views.events import event_rows
from calamity_lab.views.process_graph import process_graph
from calamity_lab.views.sequence import sequence
from calamity_lab.views.state import state
from calamity_lab.views.versions import history_of
from tests.frames.histories import shop_week

CURSOR = 101
SHOP = Model.find(fulfilment)
"""One model for all: it keeps what is possible, which takes longer to find than to draw."""


class Plot(NamedTuple):
    """A plot by its name, of the shop's week in its middle."""

    name: str
    plot: Callable[..., Axes]
    view: Callable[[], Any]

    def draw(self, **options: Any) -> Axes:
        return self.plot(self.view(), **options)


PLOTS = (
    Plot("plot_timeline", plot_timeline, shop_week),
    Plot(
        "plot_process_managers",
        plot_process_managers,
        lambda: process_graph(shop_week(), CURSOR, SHOP),
    ),
    Plot("plot_sequence", plot_sequence, lambda: sequence(shop_week(), CURSOR)),
    Plot("plot_state", plot_state, lambda: state(shop_week(), CURSOR)),
    Plot("plot_events", plot_events, lambda: event_rows(shop_week(), CURSOR, limit=20)),
    Plot("plot_agenda", plot_agenda, lambda: agenda(shop_week(), CURSOR)),
    Plot("plot_field", plot_field, lambda: history_of(shop_week(), CURSOR, "StockItem-teapot", "on_shelf")),
)
