"""A model that breaks the rules is named, and harms nothing."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from calamity_lab.errors import ImpureModel, ModelError, Rejected
from calamity_lab.kernel.ask import Question
from calamity_lab.kernel.messages import Continue, Start, command
from calamity_lab.kernel.stack import Stack
from calamity_lab.trace.purity import PurityCheck
from calamity_lab.trace.stepper import Stepper

ticks = itertools.count()


@dataclass(frozen=True)
class Counted:
    counter_id: str
    amount: Any


@command(to="Counter", by="counter_id")
@dataclass
class Count:
    counter_id: str
    how: str


@dataclass
class Counter:
    counter_id: str
    total: int = 0
    seen: list[int] = field(default_factory=list)

    @classmethod
    def new(cls, counter_id: str) -> Counter:
        return cls(counter_id)

    def execute(self, command: Count) -> Counted | list[Counted] | None:
        match command.how:
            case "changes self in execute":
                self.total = 99
            case "changes the command":
                command.counter_id = "other"
            case "answers twice differently":
                return Counted(self.counter_id, next(ticks))
            case "refuses differently":
                raise Rejected("no", at=next(ticks))
            case "raises":
                raise ZeroDivisionError("by design")
        return Counted(self.counter_id, command.how)

    def apply(self, event: Counted) -> Counter:
        match event.amount:
            case "changes self in apply":
                self.total += 1
                return self
            case "changes a list in apply":
                self.seen.append(1)
                return replace(self, total=self.total + 1)
        return replace(self, total=self.total + 1)


@dataclass(frozen=True)
class Watcher:
    counter_id: str
    heard: list[Any] = field(default_factory=list)

    @classmethod
    def interested(cls, event: Counted) -> Start | Continue | None:
        return Start(event.counter_id) if event.amount in ("watched", "handled") else None

    @classmethod
    def new(cls, counter_id: str) -> Watcher:
        return cls(counter_id)

    def apply(self, event: Counted) -> Watcher:
        if event.amount == "watched":
            self.heard.append(event)
        return self

    def handle(self, event: Counted) -> Count | None:
        if event.amount == "handled":
            return Count(self.counter_id, f"again {next(ticks)}")
        return None


def stepped(how: str, *, checked: bool = True) -> Stepper:
    stack = Stack(aggregates={"Counter-1": Counter("1", 5)}, process_manager_types=(Watcher,))
    stepper = Stepper(stack, checked=checked)
    stepper.submit(Count("1", how))
    return stepper


@pytest.mark.parametrize(
    ("how", "callback", "path", "words"),
    [
        ("changes self in execute", "Counter.execute", "total", r"changed self\.total in place \(5 → 99\)"),
        ("changes the command", "Counter.execute", "counter_id", r"changed Count\.counter_id in place"),
        ("changes self in apply", "Counter.apply", "total", r"return replace\(self, total=\.\.\.\)"),
        ("changes a list in apply", "Counter.apply", "seen[0]", r"changed self\.seen\[0\] in place"),
        ("answers twice differently", "Counter.execute", "amount", "gave two answers to Count in"),
        ("refuses differently", "Counter.execute", "at", "gave two answers"),
        ("watched", "Watcher.apply", "heard[0]", "in place"),
        ("handled", "Watcher.handle", "how", "gave two answers to Counted"),
    ],
)
def test_an_impure_callback_is_named_with_class_method_field_and_remedy(
    how: str, callback: str, path: str, words: str
) -> None:
    stepper = stepped(how)
    with pytest.raises(ImpureModel, match=words) as caught:
        stepper.resume()
    assert (caught.value.callback, caught.value.field) == (callback, path)


def test_what_an_impure_callback_changed_is_put_back_and_the_lab_goes_on_from_the_moment_before() -> None:
    stepper = stepped("changes a list in apply")
    with pytest.raises(ImpureModel):
        stepper.resume()
    assert stepper.moment.stack.aggregates["Counter-1"] == Counter("1", 5, [])
    assert stepper.cursor == stepper.trace.last == 1
    stepper.restart()
    stepper.drop(0)
    stepper.submit(Count("1", "well"))
    assert stepper.resume().stack.aggregates["Counter-1"].total == 6


def test_a_callback_that_raises_is_said_as_what_it_is() -> None:
    with pytest.raises(ModelError, match="ZeroDivisionError: by design"):
        stepped("raises").resume()


def test_a_pure_model_is_not_disturbed() -> None:
    assert stepped("well").resume().stack.aggregates["Counter-1"].total == 6


def test_unchecked_an_impure_model_is_believed() -> None:
    assert stepped("answers twice differently", checked=False).resume().run.idle


def test_a_history_that_is_read_is_watched_as_well() -> None:
    store = Stack().event_store.append("Counter-1", [Counted("1", "changes a list in apply")])
    stepper = Stepper(Stack(event_store=store))
    stepper.submit(Count("1", "well"))
    with pytest.raises(ImpureModel, match=r"changed self\.seen\[0\] in place"):
        stepper.resume()


def test_of_a_long_history_only_the_first_events_are_watched() -> None:
    asked = []

    def callback() -> None:
        asked.append(1)

    watch = PurityCheck(most=3)
    for _ in range(5):
        watch(Question(Counter("1"), "apply", Counted("1", 1), lambda *_: callback()))
    assert len(asked) == 3 * 2 + 2
