"""The state as a widget: every aggregate and process manager."""

from __future__ import annotations

from calamity_lab.widgets.base import ViewWidget
from calamity_lab.widgets.desk import Desk


class State(ViewWidget):
    """The state at the cursor, changed fields marked."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, face="state", parts=("fact", "selected", "state"))
