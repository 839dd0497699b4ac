"""What is picked out of a run, for every view to show; it moves nothing."""

from __future__ import annotations

from typing import NamedTuple


class Selection(NamedTuple):
    """A stream, an event, the events between two positions, or the step of a moment; or nothing.

    Of an event ``position`` is its own; of several it is the first one's, and ``until`` the last one's.
    """

    stream_id: str | None = None
    position: int | None = None
    until: int | None = None
    moment: int | None = None


NOTHING = Selection()
