"""The same work as a dispatch in memory, by hand over dicts and lists: what the kernel is measured against.

The same model classes, ids and clock. Nothing is checked, kept or undone; all that may go wrong is a refusal.
"""

from __future__ import annotations

from typing import Any

from calamity_lab.errors import Rejected
from calamity_lab.kernel.clocks_and_ids import RandomIds, draw, read, system_clock
from calamity_lab.kernel.messages import Start, Stop


class ByHand:
    """Aggregates, process managers and a log, changed in place."""

    def __init__(self, *process_manager_types: type) -> None:
        self.types = process_manager_types
        self.aggregates: dict[str, Any] = {}
        self.versions: dict[str, int] = {}
        self.managers: dict[str, Any] = {}
        self.manager_versions: dict[str, int] = {}
        self.streams: dict[str, list[dict[str, Any]]] = {}
        self.log: list[dict[str, Any]] = []
        self.queue: list[tuple[Any, str, str, str | None]] = []

    def dispatch(self, command: Any) -> None:
        (id_,), _ = draw(RandomIds(), 1)
        self.queue.append((command, id_, id_, None))
        while self.queue:
            command, command_id, correlation_id, sender = self.queue.pop()
            try:
                caused = self.one(command, command_id, correlation_id, sender)
            except Rejected as rejected:
                caused = self.refused(rejected, command, correlation_id, sender)
            self.queue.extend(reversed(caused))

    def one(self, command: Any, command_id: str, correlation_id: str, sender: str | None) -> list[Any]:
        cls, id_ = command.aggregate()
        stream_id = f"{cls.__name__}-{id_}"
        aggregate = self.aggregates.get(stream_id)
        if aggregate is None:
            aggregate = cls.new(id_)
        decided = aggregate.execute(command)
        events = [] if decided is None else decided if isinstance(decided, list) else [decided]
        if not events:
            return []
        now, _ = read(system_clock)
        ids, _ = draw(RandomIds(), len(events))
        metadata = {"command": type(command).__name__}
        if sender is not None:
            metadata["process_manager"] = sender
        version, stream = self.versions.get(stream_id, 0), self.streams.setdefault(stream_id, [])
        for event, event_id in zip(events, ids, strict=True):
            aggregate, version = aggregate.apply(event), version + 1
            record = {
                "event": event,
                "event_type": type(event).__name__,
                "event_id": event_id,
                "stream_id": stream_id,
                "stream_version": version,
                "position": len(self.log) + 1,
                "correlation_id": correlation_id,
                "causation_id": command_id,
                "recorded_at": now,
                "metadata": metadata,
            }
            stream.append(record)
            self.log.append(record)
        self.aggregates[stream_id], self.versions[stream_id] = aggregate, version
        return [
            answer
            for event in events
            for manager in self.types
            for answer in self.handed(event, manager, correlation_id)
        ]

    def handed(self, event: Any, manager: Any, correlation_id: str) -> list[Any]:
        interest = manager.interested(event)
        if interest is None:
            return []
        key = f"{manager.__name__}-{interest.id}"
        instance = self.managers.get(key)
        if instance is None and not isinstance(interest, Start):
            return []
        self.manager_versions[key] = self.manager_versions.get(key, 0) + 1
        if isinstance(interest, Stop):
            del self.managers[key]
            return []
        if instance is None:
            instance = manager.new(interest.id)
        self.managers[key] = instance = instance.apply(event)
        return self.sent(instance.handle(event), correlation_id, key)

    def refused(self, rejected: Rejected, command: Any, correlation_id: str, sender: str | None) -> list[Any]:
        rejected.command = command
        instance = None if sender is None else self.managers.get(sender)
        if instance is None:
            return []
        return self.sent(instance.handle_rejection(rejected), correlation_id, sender)

    def sent(self, answer: Any, correlation_id: str, sender: str | None) -> list[Any]:
        commands = [] if answer is None else answer if isinstance(answer, list) else [answer]
        ids, _ = draw(RandomIds(), len(commands))
        return [(command, id_, correlation_id, sender) for command, id_ in zip(commands, ids, strict=True)]
