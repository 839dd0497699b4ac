"""What was put into a run from outside: a trace is these first, and moments second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from calamity_lab.kernel.run import Run


class Submitted(NamedTuple):
    """Commands were put on the agenda at that moment."""

    at: int
    commands: tuple[Any, ...]
    metadata: Mapping[str, Any] = {}

    def put(self, run: Run) -> Run:
        """The run with the commands on its agenda."""
        return run.submit(*self.commands, metadata=self.metadata)


class Chosen(NamedTuple):
    """The pending command at that place was chosen to go next."""

    at: int
    place: int

    def put(self, run: Run) -> Run:
        """The run with that command in front."""
        return run.choose(self.place)


class Dropped(NamedTuple):
    """The pending command at that place was taken off the agenda."""

    at: int
    place: int

    def put(self, run: Run) -> Run:
        """The run without that command."""
        return run.drop(self.place)


Input = Submitted | Chosen | Dropped
