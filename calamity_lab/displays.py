"""The views of a lab: widgets and pictures, each on its one cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from calamity_lab.model import Model
from calamity_lab.stepper import Stepper

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from networkx import MultiDiGraph

    from calamity_lab.widgets.base import ViewWidget


class Displays:
    """What shows a model and the cursor of a stepper; each view loads what it needs when it is first used."""

    model: Model
    stepper: Stepper
    _view: ViewWidget | None = None

    def send(self, *commands: Any) -> Any:
        """Put commands on the agenda, as the form does."""
        raise NotImplementedError

    @property
    def view(self) -> ViewWidget:
        """The composite: all views in one widget."""
        from calamity_lab.widgets.composite import LabView

        if self._view is None:
            self._view = LabView(self)
        return self._view

    @property
    def controls(self) -> ViewWidget:
        """The buttons and the scrubber."""
        from calamity_lab.widgets.controls import Controls

        return Controls(self)

    @property
    def form(self) -> ViewWidget:
        """The agenda and the command form."""
        from calamity_lab.widgets.agenda import AgendaWidget

        return AgendaWidget(self)

    @property
    def state(self) -> ViewWidget:
        """Every aggregate and process manager, changed fields marked."""
        from calamity_lab.widgets.state import State

        return State(self)

    @property
    def timeline(self) -> ViewWidget:
        """A lane for each stream, events in order of position."""
        from calamity_lab.widgets.timeline import Timeline

        return Timeline(self)

    @property
    def process_graph(self) -> ViewWidget:
        """What sends, answers and wakes what; what has happened, and what an instance waits for."""
        from calamity_lab.widgets.process_graph import ProcessGraph

        return ProcessGraph(self)

    @property
    def table(self) -> ViewWidget:
        """The events as a table."""
        from calamity_lab.widgets.events import Events

        return Events(self)

    def plot_timeline(self, ax: Axes | None = None) -> Axes:
        """The timeline as matplotlib axes."""
        from calamity_lab.figures import plot_timeline

        return plot_timeline(self.stepper.trace, self.stepper.cursor, ax=ax)

    def plot_process_managers(self, ax: Axes | None = None, *, manager: str | None = None) -> Axes:
        """The process graph as matplotlib axes."""
        from calamity_lab.figures import plot_process_managers
        from calamity_lab.views.process_graph import process_graph

        return plot_process_managers(
            process_graph(self.stepper.trace, self.stepper.cursor, self.model, manager=manager), ax=ax
        )

    def to_networkx(self) -> MultiDiGraph[str]:
        """Commands and events up to the cursor as a graph of causes."""
        from calamity_lab.figures import to_networkx

        return to_networkx(self.stepper.trace, self.stepper.cursor)

    def _ipython_display_(self) -> None:
        self.view._ipython_display_()
