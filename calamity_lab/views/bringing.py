"""Who brings an event about: the types of command that lead to it, and who sends these."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from calamity_lab.model import Model
from calamity_lab.views.possible import possible

Pairs = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Bringing:
    """Types of a model by what they lead to: found possible by asking it, or observed.

    ``leads`` are pairs of command and event, ``wakes`` of event and process manager, ``sends`` of process
    manager and command.
    """

    leads: Pairs
    wakes: Pairs
    sends: Pairs
    _reached: dict[str, frozenset[str]] = field(default_factory=dict, compare=False, repr=False)

    def events_of(self, commands: Iterable[str]) -> set[str]:
        """The events that these commands lead to at once."""
        wanted = set(commands)
        return {event for command, event in self.leads if command in wanted}

    def commands_for(self, event: str) -> list[str]:
        """The commands that lead to an event at once, by name."""
        return sorted(command for command, led in self.leads if led == event)

    def senders_of(self, command: str) -> set[str]:
        """The process managers that send a command; none: only people outside do."""
        return {manager for manager, sent in self.sends if sent == command}

    def others_for(self, event: str, manager: str) -> list[str]:
        """The commands that lead to an event and that a manager of that type does not send, by name."""
        return [each for each in self.commands_for(event) if manager not in self.senders_of(each)]

    def reached_by(self, command: str) -> frozenset[str]:
        """The events that a command may lead to, also through the process managers that it wakes."""
        if command not in self._reached:
            self._reached[command] = frozenset(self._reach(command))
        return self._reached[command]

    def _reach(self, command: str) -> set[str]:
        events: set[str] = set()
        commands, waiting = {command}, [command]
        # A refused command makes its sender send others, so what that one sends counts from the beginning.
        managers = self.senders_of(command)
        while waiting or managers:
            events |= self.events_of(waiting)
            managers |= {manager for event, manager in self.wakes if event in events}
            waiting = [sent for by, sent in self.sends if by in managers and sent not in commands]
            commands |= set(waiting)
            managers = set()
        return events


def bringing(model: Model, observed: Iterable[tuple[str, str, str]]) -> Bringing:
    """What leads to what, given the edges that were observed (see `tally`)."""
    told = frozenset(
        (source.partition(":")[2], label, target.partition(":")[2]) for source, target, label in observed
    )
    return _bringing(model, frozenset(each for each in told if each[1] in _LABELS))


_SENDS = ("sends", "if refused")
_WAKES = ("start", "continue", "stop")
_LABELS = ("leads to", *_SENDS, *_WAKES)


@lru_cache(maxsize=64)
def _bringing(model: Model, observed: frozenset[tuple[str, str, str]]) -> Bringing:
    found = possible(model)

    def seen(*labels: str) -> set[tuple[str, str]]:
        return {(source, target) for source, label, target in observed if label in labels}

    return Bringing(
        frozenset({*found.leads, *seen("leads to")}),
        frozenset({*((event, manager) for event, manager, _ in found.reactions), *seen(*_WAKES)}),
        frozenset({*found.sends, *found.answers, *seen(*_SENDS)}),
    )
