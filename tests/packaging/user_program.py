"""A user's program: it runs with nothing but the package installed, and a strict type checker reads it."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, assert_type

from calamity_lab import (
    ALL,
    Aggregate,
    Context,
    Decider,
    History,
    InMemoryEventStore,
    Lab,
    ProcessManager,
    Projection,
    RecordedEvent,
    Rejected,
    Run,
    Stack,
    Start,
    advance,
    begin,
    command,
    dispatch,
    policy,
    seeded_ids,
    ticking_clock,
)
from calamity_lab.stores import OverlayEventStore, Serializer, SQLEventStore, StackActor, rebuild


@command(to="Counter", by="counter_id")
@dataclass(frozen=True)
class Count:
    counter_id: str
    by: int = 1


@dataclass(frozen=True)
class Counted:
    counter_id: str
    by: int


@dataclass(frozen=True)
class Counter:
    counter_id: str
    total: int = 0

    @classmethod
    def new(cls, counter_id: str) -> Self:
        return cls(counter_id)

    def execute(self, command: Count) -> Counted:
        if command.by > 3:
            raise Rejected("too much at once", by=command.by)
        return Counted(command.counter_id, command.by)

    def apply(self, event: Counted) -> Self:
        return replace(self, total=self.total + event.by)


@dataclass(frozen=True)
class Stamped:
    """An aggregate whose callbacks take both parameters."""

    stamp_id: str
    last: int = 0

    @classmethod
    def new(cls, stamp_id: str) -> Self:
        return cls(stamp_id)

    def execute(self, command: Count, context: Context) -> Counted:
        return Counted(context.new_id(), command.by)

    def apply(self, event: Counted, recorded: RecordedEvent) -> Self:
        return replace(self, last=recorded.position)


@dataclass(frozen=True)
class Counting:
    """A process manager and a projection at once, with both parameters."""

    total: int = 0

    @classmethod
    def interested(cls, event: Counted, recorded: RecordedEvent) -> Start | None:
        return Start("all") if recorded.position > 1 else None

    @classmethod
    def new(cls, counting_id: str = "all") -> Self:
        return cls()

    def apply(self, event: Counted, recorded: RecordedEvent) -> Self:
        return replace(self, total=self.total + event.by)

    def handle(self, event: Counted, recorded: RecordedEvent) -> Count | None:
        return None


AGGREGATES: list[type[Aggregate]] = [Counter, Stamped]
MANAGERS: list[type[ProcessManager]] = [Counting]
PROJECTIONS: list[type[Projection]] = [Counting]
STATES: tuple[Aggregate, Aggregate, ProcessManager] = (Counter("1"), Stamped("1"), Counting())


@policy
def count_again(event: Counted, recorded: RecordedEvent) -> "Note | None":
    return Note("1", f"{event.by} at {recorded.position}") if event.by > 1 else None


@dataclass(frozen=True)
class Noted:
    text: str
    note_id: str


def decide(command: "Note", state: tuple[str, ...], context: Context) -> Noted:
    return Noted(command.text, context.new_id())


def evolve(state: tuple[str, ...], event: Noted) -> tuple[str, ...]:
    return (*state, event.text)


Notes = Decider("Notes", (), decide, evolve)


@command(to=Notes, by="notes_id")
@dataclass(frozen=True)
class Note:
    notes_id: str
    text: str


def answer_with_functions() -> None:
    lab = Lab(aggregates=[Counter, Notes], commands=[Count, Note], process_managers=[count_again])
    lab.send(Count("1", 2))
    lab.resume()
    assert lab.aggregates["Notes-1"].state == ("2 at 1",)


def drive_the_kernel() -> None:
    order = Count("1", 2)
    assert_type(order, Count)
    stack = dispatch(Stack(clock=ticking_clock(), ids=seeded_ids(7)), order)
    assert_type(stack, Stack)
    _, run = advance(begin(stack, Count("1")))
    assert_type(run, Run)
    assert stack.aggregates["Counter-1"] == Counter("1", 2)


def step_in_a_lab(page: Path) -> None:
    lab = Lab(aggregates=[Counter], commands=[Count])
    assert_type(lab, Lab)
    lab.send(Count("1", 2), Count("1", 9))
    lab.step()
    lab.resume()
    assert_type(lab.cursor, int)
    assert_type(lab.history, History)
    assert lab.aggregates["Counter-1"] == Counter("1", 2)
    assert list(lab.history.to_pandas()["event_type"]) == ["Counted"]
    script, sheet = str(lab.timeline._esm), str(lab.timeline._css)
    assert "export" in script, script[:200]
    assert "{" in sheet, sheet[:200]
    assert "<script" in lab.to_html(page).read_text(encoding="utf-8")


def keep_a_history(database: Path) -> None:
    with SQLEventStore(f"sqlite:///{database}", [Counter]) as store:
        assert_type(store, SQLEventStore)
        stack = dispatch(Stack(event_store=store), Count("1", 3))
        assert_type(store.stream(ALL), Iterator[RecordedEvent])
        assert [recorded.event for recorded in store.stream(ALL)] == [Counted("1", 3)]
        assert_type(OverlayEventStore(store), OverlayEventStore)
        assert_type(rebuild(stack), Stack)
    assert_type(InMemoryEventStore().stream(ALL), Iterator[RecordedEvent])
    assert_type(Serializer([Counter]), Serializer)


def ask_an_actor(actor: StackActor) -> tuple[RecordedEvent, ...]:
    assert_type(actor.stack, Stack)
    return actor.dispatch(Count("1"))


def main(folder: Path) -> None:
    drive_the_kernel()
    answer_with_functions()
    step_in_a_lab(folder / "page.html")
    keep_a_history(folder / "counters.db")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
