"""One step of a trace and the stack after it."""

from __future__ import annotations

from dataclasses import dataclass

from calamity_lab.kernel.agenda import Agenda
from calamity_lab.kernel.run import Run
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Step
from calamity_lab.trace.telling import sentence


@dataclass(frozen=True, slots=True, repr=False)
class Moment:
    """A step and the run after it; the first moment of a trace has no step."""

    step: Step | None
    run: Run

    @property
    def index(self) -> int:
        """Its place in the trace; 0 is the moment before anything happened."""
        return self.run.length

    @property
    def stack(self) -> Stack:
        """The system as it is at this moment."""
        return self.run.stack

    @property
    def agenda(self) -> Agenda:
        """The commands that are pending at this moment."""
        return self.run.agenda

    @property
    def rests(self) -> bool:
        """Whether no command is in progress."""
        return self.run.progress is None

    def __repr__(self) -> str:
        return sentence(self.step)
