"""What everything looks like: colours, shapes, signs, sizes and words as plain values, each said here once.

The widgets' style sheet and script, the page of a run, still pictures and figures are all made from these
values. Each kind has a shape of its own besides its colour, so that no colour has to be seen. The colours of
the kinds are those of event storming.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Status = Literal["done", "in flight", "rejected", "dropped", "waited for", "waiting", "overdue"]
"""The status of a node or an edge of the process graph for an instance; none if it was not reached.

``done``: it took that event in, sent that command and it was accepted, that aggregate answered it; or the
instance has stopped. ``in flight``: it sent the command, which is still to be decided. ``rejected``: the
command was rejected; ``dropped``: taken off the agenda. ``waited for``: the events that would go on with it,
``overdue`` where they will not come (see `awaiting`); ``waiting``: the process manager itself, meanwhile.
"""

Fill = Literal["solid", "soft", "empty", "none"]
"""What is inside a shape: its colour, its soft colour, paper (then its outline is dashed), or nothing."""


class Colour(NamedTuple):
    """A colour in the light and in the dark theme.

    ``forced`` is the system's colour that replaces it where a person has chosen a few colours for everything;
    ``host`` the variable of JupyterLab that comes first where there is one.
    """

    light: str
    dark: str
    forced: str = "CanvasText"
    host: str = ""


COLOURS: Mapping[str, Colour] = {
    "paper": Colour("#ffffff", "#111418", "Canvas", host="--jp-layout-color1"),
    "raised": Colour("#ffffff", "#0b0e11", "Canvas", host="--jp-layout-color0"),
    "backdrop": Colour("#f5f6f8", "#0b0e11", "Canvas"),
    "shade": Colour("#f5f6f8", "#1d2126", "Canvas"),
    "line": Colour("#dfe2e7", "#363c44", "GrayText"),
    "line-strong": Colour("#b9c0ca", "#555d68"),
    "edge": Colour("#868f9b", "#737d8a"),
    "ink": Colour("#1c2229", "#e6e9ed"),
    "ink-soft": Colour("#5a6572", "#a3adb9"),
    "later": Colour("#67707c", "#929ca8", "GrayText"),
    "accent": Colour("#1857b6", "#7fb2ff", "LinkText"),
    "accent-ink": Colour("#ffffff", "#0c1c33", "Canvas"),
    "accent-soft": Colour("#e8f0fc", "#1b2b45", "Canvas"),
    "command": Colour("#1857b6", "#86b6ff"),
    "command-soft": Colour("#e4eefc", "#172a46", "Canvas"),
    "event": Colour("#a34a00", "#ffae66"),
    "event-soft": Colour("#fdebd8", "#43290f", "Canvas"),
    "manager": Colour("#7137a8", "#cba3f5"),
    "manager-soft": Colour("#f2e8fb", "#332246", "Canvas"),
    "aggregate": Colour("#6f5900", "#e8cc5c"),
    "aggregate-soft": Colour("#fbf3cd", "#3a3212", "Canvas"),
    "projection": Colour("#1a6a3a", "#7cd6a0"),
    "projection-soft": Colour("#e2f4e7", "#16351f", "Canvas"),
    "rejected": Colour("#b3261e", "#ff9a8f"),
    "rejected-soft": Colour("#fdeceb", "#43201d", "Canvas"),
    "good": Colour("#1b6b38", "#74d296"),
    "conflict": Colour("#8a5300", "#f5bf6b"),
    "time": Colour("#00646e", "#6fd0da"),
    "time-soft": Colour("#dcf3f5", "#123338", "Canvas"),
}
"""``later`` is for what comes after the cursor, ``backdrop`` for the page around the lab."""


class Look(NamedTuple):
    """How a kind of thing is drawn: the names of its colours, its shape, and its word in a legend.

    The shape is a relative SVG path around 0, 0 within a circle of radius 6, so that one path can have many
    shapes.
    """

    colour: str
    shape: str
    word: str
    fill: Fill = "solid"
    background: str = ""

    @property
    def short(self) -> str:
        """The last part of the word, for a legend with little room."""
        return self.word.rpartition(" ")[2]

    @property
    def soft(self) -> str:
        """The name of the pale colour, a background of text."""
        return self.background or f"{self.colour}-soft"


LOOKS: Mapping[str, Look] = {
    "command": Look("command", "m-6-4.5h8.2l3.8 4.5-3.8 4.5h-8.2z", "command", "soft"),
    "event": Look("event", "m-5-5h10v7.2l-2.8 2.8h-7.2zm10 7.2h-2.8v2.8", "event"),
    "started": Look("manager", "m-3.8-5.2l9.4 5.2-9.4 5.2z", "process manager started"),
    "continued": Look("manager", "m0-5.2l5.2 5.2-5.2 5.2-5.2-5.2z", "continued"),
    "answered": Look("manager", "m-5.2-3.9h10.4l-5.2 7.8z", "policy answered"),
    "stopped": Look("manager", "m-4.6-4.6h9.2v9.2h-9.2z", "stopped"),
    "ignored": Look("manager", "m-4.8 0a4.8 4.8 0 1 0 9.6 0 4.8 4.8 0 1 0-9.6 0", "ignored", "empty"),
    "rejected": Look("rejected", "m-4.2-4.2l8.4 8.4m0-8.4l-8.4 8.4", "command rejected", "none"),
    "injected": Look("conflict", "m1.6-6l-5.6 7.2h3.4l-1.4 4.8 5.6-7.2h-3.4z", "fault", "solid", "shade"),
    "deadline": Look(
        "time", "m-5.2 0a5.2 5.2 0 1 0 10.4 0 5.2 5.2 0 1 0-10.4 0m5.2-3.2v3.2l2.4 1.8", "deadline", "soft"
    ),
    "time passed": Look("time", "m-4-5.2h8l-8 10.4h8z", "time passed", "soft"),
    "aggregate": Look("aggregate", "m-5.4 0a5.4 5.4 0 1 0 10.8 0 5.4 5.4 0 1 0-10.8 0", "aggregate", "soft"),
    "process manager": Look("manager", "m-3-5.2h6l3 5.2-3 5.2h-6l-3-5.2z", "process manager", "soft"),
    "projection": Look(
        "projection", "m-2.4-4.2h4.8a4.2 4.2 0 0 1 0 8.4h-4.8a4.2 4.2 0 0 1 0-8.4", "projection", "soft"
    ),
    "breakpoint": Look(
        "rejected",
        "m-2.2-5.4h4.4l3.2 3.2v4.4l-3.2 3.2h-4.4l-3.2-3.2v-4.4z",
        "breakpoint",
        background="rejected-soft",
    ),
    "user": Look(
        "ink-soft",
        "m-4.6 5.6c0-3.8 1.8-5.6 4.6-5.6s4.6 1.8 4.6 5.6zm2.1-8.9a2.5 2.5 0 1 0 5 0 2.5 2.5 0 1 0-5 0",
        "user",
        "soft",
        "shade",
    ),
    "event store": Look(
        "ink-soft",
        "m-4.6-3.6c0-2.5 9.2-2.5 9.2 0v7.2c0 2.5-9.2 2.5-9.2 0zm0 0c0 2.5 9.2 2.5 9.2 0",
        "event store",
        "soft",
        "shade",
    ),
}
"""The kinds in the order of a legend."""

DRAWN_AS: Mapping[str, str] = {
    "pending": "command",
    "decided": "event",
    "caught up": "event",
    "conflict": "rejected",
    "more": "aggregate",
}
"""What a message of the sequence diagram is drawn as, where it is no kind of its own."""

REACTIONS = ("started", "continued", "stopped", "ignored", "answered")
"""What a process manager instance may do with an event: the verbs of its steps."""

IN_LANES = ("event", "command", "rejected", *REACTIONS, "projection", "injected", "time passed")
"""The kinds of marks in the lanes. In columns and for the browser, the kind of a mark is its index here."""


KINDS_OF_LANES = ("time passed", "aggregate", "process manager", "projection")
"""The kinds of lanes, from the top down."""

DEADLINE_LINE = {"down": 7, "apart": 2, "heights": 3, "most": 200}
"""The line of a deadline, in pixels below the middle of its row, and how far apart the heights of lines are.

Of very many lines that begin or end in sight, each row has the ``most`` that did so last.
"""


def below(number: int) -> int:
    """The pixels from the middle of its row down to the line of a deadline, by the deadline's number."""
    return DEADLINE_LINE["down"] + DEADLINE_LINE["apart"] * ((number - 1) % DEADLINE_LINE["heights"])


class Sign(NamedTuple):
    """How a status is drawn: a line in an outline on a grid of 16 by 16 around 0, 0; and its word."""

    colour: str
    word: str
    line: str
    outline: str = "m-7 0a7 7 0 1 0 14 0 7 7 0 1 0-14 0"


_HOURGLASS = "m-2.6-3.6h5.2m-5.2 7.2h5.2m-4.6-7c0 2.4 4 4.4 4 6.8m0-6.8c0 2.4-4 4.4-4 6.8"

SIGNS: Mapping[Status, Sign] = {
    "done": Sign("good", "done", "m-3.4.2l2.4 2.4 4.6-5.2"),
    "in flight": Sign("accent", "on its way", "m-3.6 0h6.4m-2.6-2.8l3 2.8-3 2.8"),
    "rejected": Sign("rejected", "rejected", "m-2.7-2.7l5.4 5.4m0-5.4l-5.4 5.4"),
    "dropped": Sign("ink-soft", "dropped", "m-3 0h6"),
    "waited for": Sign("event", "waited for", _HOURGLASS),
    "waiting": Sign("event", "waits", _HOURGLASS),
    "overdue": Sign("conflict", "overdue", "m0-3.6v4.4m0 2.4v.2", "m0-7.6l7.8 14h-15.6z"),
}
"""The statuses in the order of a legend, with the word beside each sign."""

FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
"""What the views are written in where the host says nothing."""
