"""A preview asks the aggregate of a pending command, and asking changes nothing."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from types import ModuleType
from typing import Any, Self

import pytest

from calamity_lab.errors import Rejected
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import BankAccount, CloseAccount, CreateAccount, DepositFunds, WithdrawFunds
from calamity_lab.kernel import ask
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.messages import command
from calamity_lab.kernel.run import advance
from calamity_lab.kernel.steps import Executed, Refused
from calamity_lab.probe import preview as preview_module
from calamity_lab.probe.preview import NO_PREVIEW
from calamity_lab.stores.overlay import OverlayEventStore
from calamity_lab.trace.trace import Trace
from calamity_lab.views.agenda import MOST_PREVIEWS, agenda
from tests.views.traces import stepper_of, story_of


@command(to="Oddity", by="id")
@dataclass(frozen=True)
class Ask:
    id: str
    how: str


@dataclass(frozen=True)
class Asked:
    id: str
    how: str


@command(to="NowhereToBeFound", by="id")
@dataclass(frozen=True)
class Lost:
    id: str


@dataclass
class Oddity:
    """An aggregate that does what a model must not, as it is asked to."""

    id: str
    heard: list[str] = field(default_factory=list)

    @classmethod
    def new(cls, id_: str) -> Self:
        return cls(id_)

    def execute(self, order: Ask) -> Any:
        return HOWS[order.how](self, order)

    def apply(self, event: Asked) -> Self:
        if event.how == "fails to apply":
            raise LookupError("no such key")
        return replace(self, heard=[*self.heard, event.how])


def _mutates(self: Oddity, order: Ask) -> Any:
    self.heard.append("while it decided")
    return Asked(order.id, order.how)


def _raises(_self: Oddity, _order: Ask) -> Any:
    raise ZeroDivisionError("division by zero")


def _prints(_self: Oddity, _order: Ask) -> Any:
    print("decided")
    warnings.warn("deprecated", stacklevel=1)


def _works(_self: Oddity, _order: Ask) -> Any:
    start = time.thread_time()
    while time.thread_time() - start < 0.01:
        pass


HOWS: dict[str, Callable[[Oddity, Ask], Any]] = {
    "well": lambda _self, order: Asked(order.id, order.how),
    "thrice": lambda _self, order: [Asked(order.id, "well")] * 3,
    "mutates": _mutates,
    "raises": _raises,
    "returns nonsense": lambda _self, _order: 42,
    "fails to apply": lambda _self, order: Asked(order.id, order.how),
    "prints": _prints,
    "works": _works,
}


def previews(*commands: Any, cursor: int = 0, **stack: Any) -> list[tuple[str, str]]:
    trace = stepper_of(*commands, **stack).trace
    return [(entry.outcome, entry.preview) for entry in agenda(trace, cursor).entries]


@pytest.mark.parametrize("domain", [bank, fulfilment])
def test_what_comes_next_is_what_then_happens(domain: ModuleType) -> None:
    trace = story_of(domain)
    compared = 0
    for cursor in range(trace.last):
        run = trace[cursor].run
        if run.progress is None and run.agenda:
            entry, decided = agenda(trace, cursor).entries[0], decision(trace, cursor)
            if isinstance(decided, Refused):
                assert (entry.outcome, entry.preview) == (
                    "rejected",
                    f"would be rejected: {decided.rejected}",
                )
            else:
                names = [type(event).__name__ for event in decided.events]
                assert (entry.outcome, entry.preview) == ("records", f"would record {', '.join(names)}")
            compared += 1
    assert compared == len(trace.index.dispatched)


def decision(trace: Trace, cursor: int) -> Executed | Refused:
    """How the next command after the cursor was decided."""
    steps = (trace[moment].step for moment in range(cursor + 1, len(trace)))
    return next(step for step in steps if isinstance(step, (Executed, Refused)))


def test_a_rejection_is_said_with_its_reason_and_its_details() -> None:
    account = {"BankAccount-a": BankAccount("a", balance=3)}
    assert previews(WithdrawFunds("a", 5), aggregates=account) == [
        ("rejected", "would be rejected: insufficient funds (balance 3)")
    ]


def test_each_command_is_said_as_if_it_came_next() -> None:
    assert [outcome for outcome, _ in previews(CreateAccount("a", "Alice"), DepositFunds("a", 5))] == [
        "records",
        previews(DepositFunds("a", 5))[0][0],
    ]


def test_several_events_of_a_type_are_counted() -> None:
    assert previews(Ask("1", "thrice")) == [("records", "would record 3 × Asked")]


def test_a_command_without_events_would_change_nothing() -> None:
    assert previews(Ask("1", "prints")) == [("nothing", "would change nothing")]


def test_a_broken_model_is_said_and_breaks_no_view() -> None:
    found = previews(*[Ask("1", how) for how in ("raises", "returns nonsense", "fails to apply")])
    assert [outcome for outcome, _ in found] == ["breaks"] * 3
    assert found[0][1].startswith("would break: Oddity.execute raised ZeroDivisionError: division by zero")
    assert found[1][1].startswith("would break: Oddity.execute returned 42")
    assert found[2][1].startswith("would break: Oddity.apply raised LookupError")


def test_a_command_that_nobody_takes_would_break() -> None:
    ((outcome, sentence),) = previews(Lost("1"))
    assert outcome == "breaks"
    assert "NowhereToBeFound" in sentence


def test_an_impure_model_is_said_and_harms_no_recorded_moment() -> None:
    stepper = stepper_of(Ask("1", "well"), Ask("1", "mutates"))
    stepper.step_over()
    before = stepper.moment.stack.aggregates["Oddity-1"]
    (entry,) = agenda(stepper.trace, stepper.cursor).entries
    assert entry.outcome == "breaks"
    assert "changed self.heard" in entry.preview
    assert stepper.moment.stack.aggregates["Oddity-1"] is before
    assert before.heard == ["well"]


def test_what_a_model_prints_or_warns_of_is_not_heard(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        previews(Ask("1", "prints"))
    assert capsys.readouterr().out == ""


def test_a_model_that_takes_long_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    # Every answer counts as long, and the rest after it lasts longer than the test.
    for name, value in {"LONG": 0.0, "_SHORT": 0.0, "_REST": 1e9}.items():
        monkeypatch.setattr(preview_module, name, value)
    found = previews(*[Ask(f"{n}", "well") for n in range(8)])
    assert found[0][0] == "records"
    assert found[1:] == [("unknown", "no preview: Oddity takes too long to decide")] * 7


def test_the_same_command_on_the_same_aggregate_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stepper = stepper_of(*[DepositFunds(name, 5) for name in "abc"], CloseAccount("c"))
    asked: list[Any] = []
    execute = ask.execute

    def counted(aggregate: Any, order: Any, *context: Any) -> Any:
        asked.append(order)
        return execute(aggregate, order, *context)

    monkeypatch.setattr(ask, "execute", counted)
    agenda(stepper.trace, 0)
    first = len(asked)
    agenda(stepper.trace, 0)
    stepper.trace = stepper.trace.put(0, stepper.trace.branch.inputs[0].input)
    agenda(stepper.trace, 0)
    assert 0 < len(asked) - first <= first, "only what was put on the agenda is asked about"
    asked.clear()
    stepper.step_over()
    asked.clear()
    agenda(stepper.trace, stepper.cursor)
    assert {order.account_id for order in asked} == {"a"}, "only of what changed is asked again"


class Large:
    """A value that tells how often it is copied."""

    copied = 0

    def __deepcopy__(self, _known: Any) -> Large:
        Large.copied += 1
        return self


def test_a_large_state_is_copied_as_often_for_many_commands_as_for_one() -> None:
    counts = []
    for many in (1, 10):
        Large.copied = 0
        oddity = Oddity("1", heard=[Large()])  # type: ignore[list-item]
        commands = [Ask("1", "thrice") for _ in range(many)]
        assert {outcome for outcome, _ in previews(*commands, aggregates={"Oddity-1": oddity})} == {"records"}
        counts.append(Large.copied)
    assert counts[0] == counts[1] > 0


def test_time_that_is_taken_little_by_little_is_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview_module, "LONG", 0.05)
    monkeypatch.setattr(preview_module, "_SHORT", 0.001)
    monkeypatch.setattr(preview_module, "advance_watched", advance)  # which asks once, and not twice
    clock = count(0)
    # A clock of its own: each look at it is 10 ms later, whatever else the machine does.
    for name in ("perf_counter", "thread_time"):
        monkeypatch.setattr(preview_module, name, lambda: next(clock) / 100)
    found = previews(*[Ask("1", "works") for _ in range(12)])
    outcomes = [outcome for outcome, _ in found]
    assert 2 <= outcomes.count("nothing") < 12
    assert outcomes == sorted(outcomes), "first some have a preview, and then none"


def test_only_the_first_commands_are_said() -> None:
    found = previews(*[DepositFunds("a", n) for n in range(1, 30)])
    assert {outcome for outcome, _ in found[:MOST_PREVIEWS]} == {"records"}
    assert set(found[MOST_PREVIEWS:]) == {(NO_PREVIEW.outcome, NO_PREVIEW.sentence)}


def test_the_command_in_progress_is_said_until_it_is_decided() -> None:
    stepper = stepper_of(DepositFunds("a", 5))
    seen = []
    while not stepper.at_end:
        stepper.step_in()
        entry = agenda(stepper.trace, stepper.cursor).in_progress
        if entry is not None:
            seen.append((type(stepper.moment.step).__name__, entry.outcome))
    assert seen == [
        ("Dispatched", "records"),
        ("Populated", "records"),
        ("Executed", "unknown"),
        ("Appended", "unknown"),
    ]


def history() -> InMemoryEventStore:
    events = [bank.AccountCreated("a", "Alice"), bank.FundsDeposited("a", 3)]
    store = InMemoryEventStore(ids=seeded_ids(5), clock=ticking_clock())
    return store.append("BankAccount-a", events)


def test_an_aggregate_that_is_not_in_the_stack_yet_is_read_from_its_stream() -> None:
    assert previews(WithdrawFunds("a", 5), event_store=history()) == [
        ("rejected", "would be rejected: insufficient funds (balance 3)")
    ]


def test_an_aggregate_that_is_behind_its_stream_is_caught_up_first() -> None:
    behind: dict[str, Any] = {
        "aggregates": {"BankAccount-a": BankAccount("a")},
        "aggregate_versions": {"BankAccount-a": 1},
    }
    assert previews(WithdrawFunds("a", 3), event_store=history(), **behind) == [
        ("records", "would record FundsWithdrawn")
    ]


def test_a_store_outside_the_value_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    stepper = stepper_of(
        WithdrawFunds("a", 5), CreateAccount("b", "Bob"), event_store=OverlayEventStore(history())
    )
    monkeypatch.setattr(OverlayEventStore, "stream", lambda *_given, **_options: pytest.fail("it was read"))
    found = [(entry.outcome, entry.preview) for entry in agenda(stepper.trace, 0).entries]
    assert found == [("unknown", ""), ("records", "would record AccountCreated")]


def test_aggregates_in_a_store_of_its_own_are_not_asked() -> None:
    class Elsewhere:
        """Aggregates that live outside the value."""

        def dispatch(self, order: Any) -> Any:
            pytest.fail(f"{order} was dispatched")

        def get(self, stream_id: str, default: Any = None) -> Any:
            pytest.fail(f"{stream_id} was read")

    assert previews(DepositFunds("a", 5), aggregates=Elsewhere()) == [("unknown", "")]


def test_hostile_text_in_a_reason_stays_text_and_is_cut() -> None:
    nasty = "<script>alert(1)</script>" + "w" * 1_000
    HOWS["refuses"] = lambda _self, _order: _rejected(nasty)
    ((outcome, sentence),) = previews(Ask("1", "refuses"))
    assert outcome == "rejected"
    assert sentence.startswith("would be rejected: <script>alert(1)</script>www")
    assert len(sentence) == 300


def _rejected(reason: str) -> Any:
    raise Rejected(reason)


def test_a_command_at_the_limit_of_its_cascade_would_break() -> None:
    stepper = stepper_of(*bank.story(), cascade_limit=0)
    with pytest.raises(Exception, match="cascade"):
        stepper.resume()
    entry = agenda(stepper.trace, stepper.cursor).entries[0]
    assert entry.outcome == "breaks"
    assert "cascade_limit" in entry.preview
