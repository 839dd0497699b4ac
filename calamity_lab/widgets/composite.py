"""All views in one widget."""

from __future__ import annotations

from calamity_lab.widgets.base import ViewWidget
from calamity_lab.widgets.desk import Desk
from calamity_lab.widgets.looks import TABS

PARTS = ("controls", "found", "selected", "pointed", "chart", "agenda", "form", "tabs", *TABS)


class LabView(ViewWidget):
    """The lab at a glance: controls, what comes next, the timeline, and the tabs of the other views."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, face="lab", parts=PARTS)
