"""The views of a lab: widgets and pictures, each on its one cursor."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calamity_lab.errors import refuse_unknown
from calamity_lab.model import Model
from calamity_lab.trace.stepper import Stepper

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from networkx import MultiDiGraph

    from calamity_lab.figures.looks import Theme
    from calamity_lab.views.sequence import Correlation
    from calamity_lab.widgets.dock import Dock
    from calamity_lab.widgets.view_widget import ViewWidget


class Displays:
    """What shows a model and the cursor of a stepper; each view loads what it needs when it is first used."""

    model: Model
    stepper: Stepper
    _view: ViewWidget | None = None
    _dock: Dock | None = None

    def send(self, *commands: Any) -> Any:
        """Put commands on the agenda, as the form does."""
        raise NotImplementedError

    @property
    def view(self) -> ViewWidget:
        """The composite: all views in one widget."""
        from calamity_lab.widgets.view_widget import LabView

        if self._view is None:
            self._view = LabView(self)
        return self._view

    @property
    def controls(self) -> ViewWidget:
        """The buttons and the scrubber."""
        from calamity_lab.widgets.view_widget import Controls

        return Controls(self)

    @property
    def form(self) -> ViewWidget:
        """The agenda and the command form."""
        from calamity_lab.widgets.view_widget import AgendaWidget

        return AgendaWidget(self)

    @property
    def state(self) -> ViewWidget:
        """Every aggregate and process manager, changed fields marked."""
        from calamity_lab.widgets.view_widget import State

        return State(self)

    @property
    def timeline(self) -> ViewWidget:
        """A lane for each stream, events in order of position."""
        from calamity_lab.widgets.view_widget import Timeline

        return Timeline(self)

    @property
    def process_graph(self) -> ViewWidget:
        """What sends, answers and wakes what; what has happened, and what an instance waits for."""
        from calamity_lab.widgets.view_widget import ProcessGraph

        return ProcessGraph(self)

    @property
    def sequence(self) -> ViewWidget:
        """Who told whom what in the cascade of the command at the cursor."""
        from calamity_lab.widgets.view_widget import Sequence

        return Sequence(self)

    @property
    def table(self) -> ViewWidget:
        """The events as a table."""
        from calamity_lab.widgets.view_widget import Events

        return Events(self)

    def dock(self, title: str | None = None) -> Dock | None:
        """Show the composite beside the notebook, in JupyterLab; called again, it shows the same one.

        ``title`` stands on its tab. Its ``close()`` takes it away. Elsewhere a warning says what works there,
        and None is returned. Raises `MissingExtra` where sidecar is not installed.
        """
        from calamity_lab.widgets.dock import Dock, docked
        from calamity_lab.widgets.view_widget import LabView

        self._dock = self._dock or Dock(LabView(self))
        return docked(self._dock, title)

    def plot_timeline(self, ax: Axes | None = None, *, theme: Theme | None = None) -> Axes:
        """The timeline as matplotlib axes.

        As every ``plot_*``: without ``ax`` on a new figure; the ``theme`` is "light" or "dark", and without
        one matplotlib's own settings are followed.
        """
        from calamity_lab.figures import plot_timeline

        return plot_timeline(self.stepper.trace, self.stepper.cursor, ax=ax, theme=theme)

    def plot_process_managers(
        self,
        ax: Axes | None = None,
        *,
        manager: str | None = None,
        instance: str | None = None,
        theme: Theme | None = None,
    ) -> Axes:
        """The process graph as matplotlib axes, and how an instance stands on it.

        Without an ``instance`` (its id) that of the moment, else the newest that has not stopped.
        """
        from calamity_lab.figures import plot_process_managers
        from calamity_lab.views.process_graph import process_graph

        trace, cursor = self.stepper.trace, self.stepper.cursor
        graph = process_graph(trace, cursor, self.model, manager=manager, instance=instance)
        return plot_process_managers(graph, ax=ax, theme=theme)

    def plot_sequence(
        self, ax: Axes | None = None, *, correlation: Correlation = None, theme: Theme | None = None
    ) -> Axes:
        """The cascade of the command at the cursor as matplotlib axes; or the one of a correlation id."""
        from calamity_lab.figures import plot_sequence
        from calamity_lab.views.sequence import sequence

        trace, cursor = self.stepper.trace, self.stepper.cursor
        return plot_sequence(sequence(trace, cursor, correlation=correlation, limit=24), ax=ax, theme=theme)

    def plot_state(self, ax: Axes | None = None, *, query: str = "", theme: Theme | None = None) -> Axes:
        """The aggregates and process managers as cards, changed fields first, as matplotlib axes.

        Where there is a ``query``, those in which it stands.
        """
        from calamity_lab.figures import plot_state
        from calamity_lab.views.state import state

        view = state(self.stepper.trace, self.stepper.cursor, query=query, limit=24)
        return plot_state(view, ax=ax, theme=theme)

    def plot_field(
        self, stream_id: str, field: str, ax: Axes | None = None, *, theme: Theme | None = None
    ) -> Axes:
        """What a field was as of each version, as matplotlib axes: ``lab.plot_field("Order-7", "total")``."""
        from calamity_lab.figures import plot_field
        from calamity_lab.views.versions import history_of

        types = {cls.__name__: cls for cls in (*self.model.aggregates, *self.model.process_managers)}
        history = history_of(self.stepper.trace, self.stepper.cursor, stream_id, field, types=types)
        return plot_field(history, ax=ax, name=f"{field} of {stream_id}", theme=theme)

    def plot_events(self, ax: Axes | None = None, *, query: str = "", theme: Theme | None = None) -> Axes:
        """The events around the cursor as matplotlib axes; of those in which the ``query`` stands."""
        from calamity_lab.figures import plot_events
        from calamity_lab.views.events import event_rows

        view = event_rows(self.stepper.trace, self.stepper.cursor, limit=30, query=query)
        return plot_events(view, ax=ax, theme=theme)

    def plot_agenda(self, ax: Axes | None = None, *, theme: Theme | None = None) -> Axes:
        """What comes next as matplotlib axes: the pending commands, in order."""
        from calamity_lab.figures import plot_agenda
        from calamity_lab.views.agenda import agenda

        return plot_agenda(agenda(self.stepper.trace, self.stepper.cursor, limit=30), ax=ax, theme=theme)

    def to_networkx(self) -> MultiDiGraph[str]:
        """Commands and events up to the cursor as a graph of causes."""
        from calamity_lab.figures import to_networkx

        return to_networkx(self.stepper.trace, self.stepper.cursor)

    def to_html(self, path: str | PathLike[str], *, title: str | None = None, **unknown: Any) -> Path:
        """Write the whole run, as the current branch has it, to one file that scrubs without a kernel.

        The page asks nobody for anything; it opens at the cursor, and ``run.html#42`` at moment 42. Of a run
        of more than 5,000 moments it keeps 2,000 at which a command is done. The same run gives the same
        bytes.
        """
        refuse_unknown("to_html()", unknown, ("path", "title"))
        from calamity_lab.widgets.page.page import to_html

        return to_html(self, path, title)

    def to_mermaid(self, *, correlation: Correlation = None, limit: int = 100) -> str:
        """The cascade of the command at the cursor as Mermaid text, for a README.

        ``correlation`` chooses another one by its correlation id, or the whole run (``ALL``); ``limit``
        counts commands. What is yet to come at the cursor stands on grey.
        """
        from calamity_lab.views.mermaid import to_mermaid
        from calamity_lab.views.sequence import sequence

        trace, cursor = self.stepper.trace, self.stepper.cursor
        return to_mermaid(sequence(trace, cursor, correlation=correlation, first=0, limit=limit))

    def _ipython_display_(self) -> None:
        self.view._ipython_display_()

    def _display_(self) -> ViewWidget:
        """What marimo shows: one composite a cell, as it closes what a cell made before it runs it again."""
        from calamity_lab.widgets.view_widget import LabView

        return LabView(self)
