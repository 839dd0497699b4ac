"""The table of events as a widget."""

from __future__ import annotations

from calamity_lab.widgets.base import ViewWidget
from calamity_lab.widgets.desk import Desk


class Events(ViewWidget):
    """The recorded events, the future greyed; click to jump."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, face="events", parts=("fact", "selected", "events"))
