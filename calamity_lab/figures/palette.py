"""The colours and shapes of event storming, told apart by either alone, on light and on dark."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.path import Path

from calamity_lab.figures.signs import COMMAND_SIGN, DASHED_RING, NOTE

COMMAND = "#2f7ed8"
EVENT = "#f28c28"
POLICY = "#a874d1"
AGGREGATE = "#e0b83d"
REFUSAL = "#d64545"
FUTURE = "#9a9a9a"
ON_COLOUR = "#1a1a1a"
"""Text on any of these."""


class Look(NamedTuple):
    """How a kind of mark is drawn, and what the legend calls it."""

    marker: str | Path
    colour: str
    name: str
    is_hollow: bool = False


LOOKS = {
    "command": Look(COMMAND_SIGN, COMMAND, "command"),
    "event": Look(NOTE, EVENT, "event"),
    "started": Look(">", POLICY, "process manager started"),
    "continued": Look("D", POLICY, "continued"),
    "stopped": Look("s", POLICY, "stopped"),
    "ignored": Look(DASHED_RING, POLICY, "ignored", is_hollow=True),
    "refused": Look("X", REFUSAL, "command refused"),
}
