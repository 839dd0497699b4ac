"""One step of a trace and the stack after it."""

from __future__ import annotations

from dataclasses import dataclass

from calamity_lab.kernel.agenda import Agenda
from calamity_lab.kernel.run import Run
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Dispatched, Executed, Refused, Step
from calamity_lab.trace.telling import sentence


@dataclass(frozen=True, slots=True, repr=False)
class Moment:
    """A step and the run after it; the first moment of a trace has no step.

    ``decision`` is the step at which the command of this moment was accepted or refused, once it was.
    """

    step: Step | None
    run: Run
    decision: Step | None = None

    def then(self, step: Step, run: Run) -> Moment:
        """The moment after this one."""
        decided = isinstance(step, (Executed, Refused))
        carried = None if isinstance(step, Dispatched) else self.decision
        return Moment(step, run, step if decided else carried)

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
        return sentence(self.step, self.decision)
