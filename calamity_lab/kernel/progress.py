"""A run, and how far the command in progress has come.

Where the latest step says all that is needed to continue, that step is the progress; else it is one of the
values here. Every moment keeps its progress, so nothing is kept twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from calamity_lab.kernel.agenda import Agenda, Pending
from calamity_lab.kernel.clocks_and_ids import draw
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.recorded import NO_METADATA, RecordedEvent, of_submitted
from calamity_lab.kernel.stack import Stack, changed
from calamity_lab.kernel.steps import Appended, AtProcessManager, Dispatched, Executed, Refused


class Populating(NamedTuple):
    """In progress: the command's aggregate is to be caught up from its stream, and then to decide again."""

    pending: Pending
    identity: Identity
    attempt: int


class Executing(NamedTuple):
    """In progress: the aggregate was caught up and is to decide; ``attempt`` counts how often."""

    pending: Pending
    identity: Identity
    attempt: int


class Appending(NamedTuple):
    """In progress: decided events are to be recorded; ``aggregates`` is the store with them applied.

    ``version`` is the one that they were decided on. It is kept from then on: a version store that lives
    outside the value may have gone on, and the append would no longer find out.
    """

    pending: Pending
    identity: Identity
    attempt: int
    events: tuple[Any, ...]
    aggregates: Any
    version: int


class Handling(NamedTuple):
    """In progress: recorded events go to process managers; next that at ``event`` to that at ``manager``."""

    pending: Pending
    recorded: tuple[RecordedEvent, ...]
    event: int
    manager: int


# After Dispatched the aggregate decides (or is caught up first, where the stack does not know it), after
# Appended the events are handed on from the first, and after Refused the sender is asked. An Executed that
# stands here decided no events, and a reaction is the last one: the command is to be completed.
Progress = (
    Dispatched
    | Populating
    | Executing
    | Appending
    | Appended
    | Handling
    | Refused
    | Executed
    | AtProcessManager
)


class Run(NamedTuple):
    """A stack, the agenda of pending commands, and how far the command in progress has come.

    ``length`` is the number of steps so far.
    """

    stack: Stack
    agenda: Agenda = Agenda()
    progress: Progress | None = None
    length: int = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is in progress and the agenda is empty."""
        return self.progress is None and not self.agenda

    def submit(
        self,
        *commands: Any,
        metadata: Mapping[str, Any] | None = None,
        command_ids: Sequence[str] = (),
    ) -> Run:
        """The run with further commands at the end of its agenda; nothing happens yet.

        ``command_ids`` are ids that the commands had in an earlier run; else they are drawn.
        """
        stack, agenda, progress, length = self
        fresh, ids = draw(stack.ids, len(commands))  # drawn in any case, so that later ids stay the same
        known = NO_METADATA if metadata is None else of_submitted(metadata)
        pending = [
            Pending(command, id_, id_, 0, None, None, known)
            for command, id_ in zip(commands, command_ids or fresh, strict=True)
        ]
        if ids is not stack.ids:
            stack = changed(stack, ids=ids)
        return Run(stack, agenda.submit(pending), progress, length)

    def choose(self, which: int | str | Pending | Any) -> Run:
        """The run in which that pending command comes next: by its index, its id, or the command itself."""
        return self._replace(agenda=self.agenda.choose(which))

    def drop(self, which: int | str | Pending | Any) -> Run:
        """The run without that pending command: by its index, its id, or the command itself."""
        return self._replace(agenda=self.agenda.drop(which))
