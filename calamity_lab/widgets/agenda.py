"""The agenda as a widget: what comes next, and what can be sent."""

from __future__ import annotations

from calamity_lab.widgets.base import ViewWidget
from calamity_lab.widgets.desk import Desk


class AgendaWidget(ViewWidget):
    """The pending commands in order, and a form for another."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, face="agenda", parts=("fact", "agenda", "form"))
