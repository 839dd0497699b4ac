"""The controls as a widget: the buttons and the scrubber."""

from __future__ import annotations

from calamity_lab.widgets.base import ViewWidget
from calamity_lab.widgets.desk import Desk


class Controls(ViewWidget):
    """Moves the cursor: back, in, over, out, on, or anywhere."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, face="controls", parts=("controls",))
