"""The process graph as a widget: what sends, causes and wakes what."""

from __future__ import annotations

from calamity_lab.widgets.base import ViewWidget
from calamity_lab.widgets.desk import Desk


class ProcessGraph(ViewWidget):
    """What has happened solid, what may happen dashed, what an instance waits for."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, face="process_graph", parts=("fact", "selected", "process_graph"))
