"""The sequence diagram as a widget: who told whom what in the cascade at the cursor."""

from __future__ import annotations

from calamity_lab.widgets.base import ViewWidget
from calamity_lab.widgets.desk import Desk


class Sequence(ViewWidget):
    """The submitted command of the moment and all that it caused, the future greyed; click to jump."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk, face="sequence", parts=("fact", "selected", "sequence"))
