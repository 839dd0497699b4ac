"""A widget beside the notebook, in a panel of JupyterLab's."""

from __future__ import annotations

import warnings
from typing import Any

import IPython

from calamity_lab.errors import MissingExtra
from calamity_lab.widgets.stills.page import docked_still
from calamity_lab.widgets.view_widget import ViewWidget

_NO_PLACE = (
    "lab.dock() needs JupyterLab, which has a place beside the notebook; in marimo let a cell end with lab, "
    "and without a notebook lab.to_html('run.html') writes a page"
)


class Dock:
    """A place beside the notebook that shows one widget."""

    def __init__(self, widget: ViewWidget) -> None:
        self.widget = widget
        self.title = "Lab"
        self._panel: Any = None

    def show(self) -> None:
        """Open the panel, or open it again: this object does not know whether the page closed it."""
        panel = _panel_class()(title=self.title, anchor="split-right")
        self.close()
        self.widget.show()
        data, metadata = self.widget._repr_mimebundle_() or ({}, {})
        # Not by displaying it in there: what is printed meanwhile belongs to the cell.
        panel.outputs = ({"output_type": "display_data", "data": data, "metadata": metadata},)
        self._panel = panel
        self.widget.show_picture(docked_still)

    def close(self) -> None:
        """Take the panel off the page; the widget may be shown elsewhere, or docked again."""
        if self._panel is not None:
            self._panel.close()
            self._panel = None

    def __repr__(self) -> str:
        return f"the dock {self.title!r}; close() takes it away"


def docked(dock: Dock, title: str | None) -> Dock | None:
    """Show a dock, under another title if one is given; None, and a warning, where nothing can be docked."""
    if getattr(IPython.get_ipython(), "kernel", None) is None:
        warnings.warn(_NO_PLACE, stacklevel=3)
        return None
    dock.title = title or dock.title
    dock.show()
    return dock


def _panel_class() -> Any:
    try:
        from sidecar import Sidecar
    except ImportError as error:
        raise MissingExtra("a lab beside the notebook", "sidecar", "dock") from error
    return Sidecar
