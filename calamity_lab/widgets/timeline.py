"""The timeline as a widget: a lane for each stream."""

from __future__ import annotations

from calamity_lab.widgets.base import ViewWidget
from calamity_lab.widgets.desk import Desk


class Timeline(ViewWidget):
    """The events in order of position, the future greyed; click to jump."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, face="timeline", parts=("fact", "selected", "pointed", "chart"))
