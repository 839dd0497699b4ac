"""The tab "Explore": what can be chosen, exploring in parts, and what is shown of what was found."""

from __future__ import annotations

import re
from typing import Any

import pytest

from calamity_lab import Lab, Stack
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import CreateAccount, DepositFunds, RequestTransfer
from calamity_lab.probe import workers
from calamity_lab.stores import SQLEventStore
from calamity_lab.views import exploring
from calamity_lab.widgets import actions
from tests import holds
from tests.holds import HoldSeat, theatre
from tests.probe.test_explore import fails_as_found, order_and_cancel, ships_nothing_cancelled
from tests.widgets.front_end_stand_in import FrontEnd

NAME = "no cancelled order is shipped"


def page_of(lab: Lab) -> FrontEnd:
    page = FrontEnd(lab.view)
    page.ask("set_options", view="tabs", shown="exploring")
    return page


@pytest.fixture
def lab() -> Lab:
    lab = order_and_cancel()
    lab.invariant(NAME, ships_nothing_cancelled)
    return lab


@pytest.fixture
def page(lab: Lab) -> FrontEnd:
    return page_of(lab)


def shown(page: FrontEnd) -> dict[str, Any]:
    return page.values["exploring"]


def explore(page: FrontEnd, verb: str = "explore") -> dict[str, Any]:
    """Explore to the end, as the front end does; what was found."""
    page.ask(verb)
    while page.messages[-1].get("explores"):
        page.ask("explore_on")
    found: dict[str, Any] = shown(page)["found"]
    return found


def test_the_tab_comes_with_something_to_explore() -> None:
    lab = Lab(bank)
    page = FrontEnd(lab.view)
    assert "exploring" not in page.values["tabs"]["there"]
    lab.send(CreateAccount("a", "Ada"))
    page.seen()
    assert "exploring" in page.values["tabs"]["there"]
    plain = Lab(aggregates=[bank.BankAccount], commands=[DepositFunds])
    page = FrontEnd(plain.view)
    assert "exploring" not in page.values["tabs"]["there"]
    plain.watch("accounts", lambda stack: len(stack.aggregates))
    page.seen()
    assert "exploring" in page.values["tabs"]["there"]
    plain.watches.clear()
    plain.explore(commands=[DepositFunds("a", 1)], limit=3)
    page.seen()
    assert page.values["tabs"]["there"] == ["state", "exploring"]


def test_exploring_goes_in_parts_and_ends_with_a_verdict_and_its_reason(
    page: FrontEnd, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "SLICE", 0.0)
    before = lab.moment
    assert shown(page)["start"] == (
        "From step 0: ReceiveStock, ReceiveStock, PlaceOrder, CancelOrder are pending"
    )
    assert (shown(page)["problem"], shown(page)["found"]) == ("", None)
    page.ask("explore")
    assert page.messages[-1]["explores"]
    going = shown(page)["found"]
    assert (going["is_running"], going["verdict"], going["violations"]) == (True, "", [])
    assert going["progress"].startswith("4 states; 3 transitions, depth 1")
    assert page.values["controls"]["sentence"] == "Exploring from step 0"
    while page.messages[-1].get("explores"):
        page.ask("explore_on")
    found = shown(page)["found"]
    assert (found["is_running"], found["can_go_on"], found["verdict"]) == (False, False, "broken")
    assert found["reason"] == "1 check broken; everything that may happen was followed"
    assert "204 states, " in found["progress"]
    assert "; 481 transitions, depth 14" in found["progress"]
    assert page.values["controls"]["sentence"].startswith("Explored: broken; 1 check broken; everything")
    assert page.values["controls"]["tone"] == "rejected"
    assert lab.moment == before
    assert shown(page) == page.expected()["exploring"]


def test_a_violation_unfolds_to_its_path_and_opens_on_a_branch(page: FrontEnd, lab: Lab) -> None:
    (row,) = explore(page)["violations"]
    assert (row["name"], row["length"], row["is_open"]) == (NAME, 8, True)
    assert [step["label"].partition("(")[0] for step in row["steps"]][-2:] == [
        "DispatchParcel",
        "CancelOrder",
    ]
    assert [step["sender"] for step in row["steps"]][-2:] == ["sent by OrderFulfilment-1001", "submitted"]
    assert [step["note"] for step in row["steps"]] == [""] * 7 + ["no way back"]
    assert row["advice"].startswith("Point of no return: step 8. Possible instead: PickStock(")
    page.ask("set_options", view="exploring", unfolded=[])
    (row,) = shown(page)["found"]["violations"]
    assert (row["is_open"], row["steps"]) == (False, [])

    page.ask("open_found", kind="broken", name=NAME)
    assert lab.trace.branch.name == f"breaks: {NAME}"
    assert not ships_nothing_cancelled(lab.stack)
    assert page.values["controls"]["sentence"].startswith(f"Here it breaks: {NAME}")
    (stop,) = page.values["stops"]["rows"]
    assert (stop["name"], stop["is_broken"]) == (NAME, True)
    page.ask("copy_violation", name=NAME)
    answer = page.values["details"]["answer"]
    assert answer["title"] == "As a test"
    fails_as_found(answer["text"], "ships_nothing_cancelled")
    page.ask("open_found", kind="broken", name="another")
    assert page.values["controls"]["sentence"] == "Nothing that was found is called 'another'. Explore again"


def test_what_never_happened_is_listed(page: FrontEnd) -> None:
    found = explore(page)
    assert (len(found["stuck"]), found["more_stuck"] > 0) == (5, True)
    never = {row["heading"]: row["names"] for row in found["never"]}
    assert "RefundPayment" in never["Commands never accepted"]
    assert "OrderCompleted" in never["Events never recorded"]
    assert "card declined" in never["Reasons never given"]
    assert never["Never done"] == ["Replenishment stopped"]


def test_a_state_in_which_an_instance_waits_for_ever_unfolds_and_opens(page: FrontEnd, lab: Lab) -> None:
    row = explore(page)["stuck"][0]
    assert (row["label"], row["length"], row["is_open"]) == ("Replenishment-teapot waits", 7, False)
    page.ask("set_options", view="exploring", unfolded=[row["key"]])
    assert not shown(page)["found"]["violations"][0]["is_open"]
    row = shown(page)["found"]["stuck"][0]
    assert (row["is_open"], len(row["steps"]), row["advice"]) == (True, 7, "")
    page.ask("open_found", kind="stuck", name=row["name"])
    assert lab.trace.branch.name == "Replenishment-teapot waits"
    assert (lab.moment.rests, list(lab.process_managers)) == (True, ["Replenishment-teapot"])
    assert page.values["controls"]["sentence"] == "Nothing can happen here: Replenishment-teapot waits"
    page.ask("open_found", kind="stuck", name="1000")
    assert page.values["controls"]["sentence"] == "No stuck state has the number '1000'. Explore again"


def test_when_time_passes_and_how_many_processes_explore_is_chosen(
    page: FrontEnd, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exploring, "MOST_WORKERS", 2)
    monkeypatch.setattr(workers, "WIDE", 1)
    page.ask("set_options", view="exploring", time="idle", workers=2)
    assert (shown(page)["has_deadlines"], shown(page)["most_workers"]) == (True, 2)
    assert shown(page)["summary"] == "1 check, 10,000 states at most, 2 processes"
    assert re.match(r"79 states[,;] ", explore(page)["progress"])  # the rate comes after some time
    assert lab.exploration is not None
    assert lab.exploration._explorer.is_shared
    page.ask("set_options", view="exploring", strategy="depth", workers=100)
    assert (shown(page)["most_workers"], shown(page)["workers"]) == (1, 1)
    assert re.match(r"79 states[,;] ", explore(page)["progress"])  # the rate comes after some time
    plain = Lab(bank)
    plain.send(CreateAccount("a", "Ada"))
    assert shown(page_of(plain))["has_deadlines"] is False


def test_it_stops_when_it_is_told_to_and_goes_on(page: FrontEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "SLICE", 0.0)
    page.ask("explore")
    page.ask("explore_stop")
    found = shown(page)["found"]
    assert (found["is_running"], found["can_go_on"], found["verdict"]) == (False, True, "undecided")
    assert found["reason"].startswith("stopped, 3 of 4 states not followed")
    assert page.values["controls"]["sentence"].startswith("Explored: undecided; stopped")
    page.ask("explore_on")  # was on its way meanwhile
    assert shown(page)["found"] == found
    assert explore(page, "explore_further")["verdict"] == "broken"


def test_a_limit_is_no_pass_and_go_on_raises_it(page: FrontEnd) -> None:
    page.ask("set_options", view="exploring", limit=10)
    found = explore(page)
    assert found["verdict"] == "undecided"
    assert found["reason"].startswith("stopped at the limit, ")
    further = explore(page, "explore_further")
    assert further["progress"] != found["progress"]
    page.ask("set_options", view="exploring", limit=1_000)
    assert explore(page, "explore_further")["verdict"] == "broken"


def test_depth_order_and_faults_are_chosen(page: FrontEnd, lab: Lab) -> None:
    page.ask("set_options", view="exploring", depth=2, faults=["lose", "redeliver", "crash"])
    assert shown(page)["summary"] == "1 check, 3 faults, 10,000 states at most, depth 2"
    assert "at the greatest depth not followed" in explore(page)["reason"]
    page.ask("set_options", view="exploring", depth=None, faults=[], strategy="random", seed=3, limit=900)
    assert shown(page)["summary"] == "1 check, 900 choices at most"
    found = explore(page)
    assert (found["verdict"], found["can_go_on"]) == ("broken", False)
    assert lab.exploration is not None
    assert not lab.exploration.complete


def test_each_watch_may_be_checked_in_three_ways() -> None:
    lab = Lab(bank)
    lab.send(CreateAccount("a", "Ada"), DepositFunds("a", 5), DepositFunds("a", 7))
    lab.watch("has 12", lambda stack: getattr(stack.aggregates.get("BankAccount-a"), "balance", 0) == 12)
    lab.watch("has 99", lambda stack: getattr(stack.aggregates.get("BankAccount-a"), "balance", 0) == 99)
    lab.invariant("is off", lambda stack: False).is_on = False
    page = page_of(lab)
    assert [check["role"] for check in shown(page)["checks"]] == ["off", "off", "off"]
    assert explore(page)["verdict"] == "holds"
    page.ask("set_options", view="exploring", checks=[["has 12", "eventually"], ["has 99", "sometimes"]])
    found = explore(page)
    assert (found["verdict"], found["violations"]) == ("broken", [])
    assert found["never"][0] == {"heading": "Never true", "names": ["has 99"], "more": 0}
    assert found["reason"].startswith("1 never true; everything")
    page.ask("set_options", view="exploring", checks=[["has 99", "eventually"]])
    (row,) = explore(page)["violations"]
    assert row["label"] == "never comes: has 99"
    page.ask("open_found", kind="broken", name=row["name"])
    assert lab.stack.aggregates["BankAccount-a"].balance == 12


def test_commands_that_were_sent_or_are_in_the_form_may_be_offered() -> None:
    lab = Lab(bank)
    lab.send(CreateAccount("a", "Ada"), DepositFunds("a", 5), DepositFunds("a", 5))
    lab.resume()
    lab.invariant("poor", lambda stack: stack.aggregates["BankAccount-a"].balance < 30)
    page = page_of(lab)
    assert shown(page)["problem"].startswith("Nothing can happen from here. Go back to a step")
    labels = [each["label"] for each in shown(page)["commands"]]
    assert labels[0] == "CreateAccount(account_id='a', name='Ada')"
    assert len(labels) == 2

    page.ask("offer", command="DepositFunds", fields={"account_id": "a", "amount": "10"})
    assert page.values["controls"]["sentence"] == "DepositFunds may be sent in each state"
    (chosen,) = [each["label"] for each in shown(page)["commands"] if each["is_on"]]
    assert chosen.startswith("DepositFunds(account_id='a', amount=10")
    assert shown(page)["problem"] == ""
    page.ask("set_options", view="exploring", limit=9)
    (row,) = explore(page)["violations"]
    assert [step["sender"] for step in row["steps"]] == ["offered", "offered"]
    page.ask("open_found", kind="broken", name="poor")
    assert lab.stack.aggregates["BankAccount-a"].balance == 30
    page.ask("offer", command="DepositFunds", fields={"account_id": "a", "amount": "much"})
    assert "amount" in page.values["controls"]["sentence"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"limit": 0}, "must be a whole number from 1 to 10,000,000"),
        ({"limit": "many"}, "must be a whole number from 1 to 10,000,000"),
        ({"depth": -1}, "must be a whole number from 1 to 10,000,000"),
        ({"strategy": "backwards"}, "must be one of breadth, depth, random"),
        ({"time": "never"}, "must be one of any, idle"),
        ({"workers": 0}, "must be a whole number from 1 to 10,000,000"),
        ({"checks": [["a", "never"]]}, "must be one of always, eventually, sometimes, off"),
    ],
)
def test_what_cannot_be_chosen_is_said(page: FrontEnd, options: dict[str, Any], says: str) -> None:
    page.ask("set_options", view="exploring", **options)
    assert says in page.values["controls"]["sentence"]


def test_what_cannot_be_explored_is_said(lab: Lab, tmp_path: Any) -> None:
    page = page_of(lab)
    lab.step_in()
    page.seen()
    assert shown(page)["problem"] == "A command is in progress. Step over it, then explore."
    page.ask("explore")
    assert "is in progress; step to its end first" in page.values["controls"]["sentence"]
    store = SQLEventStore(f"sqlite:///{tmp_path}/bank.db", bank)
    kept = Lab(bank, stack=Stack(event_store=store))
    kept.send(RequestTransfer("t", "a", "b", 5))
    page = page_of(kept)
    page.ask("explore")
    assert "explore() would write every run that it tries" in page.values["controls"]["sentence"]
    assert page.values["controls"]["tone"] == "error"
    assert shown(page)["found"] is None


def test_an_interrupt_ends_it_and_keeps_what_was_found(page: FrontEnd, lab: Lab) -> None:
    calls = iter(range(100))

    def interrupts(stack: Stack) -> bool:
        if next(calls) == 6:
            raise KeyboardInterrupt
        return True

    lab.invariant("interrupts", interrupts)
    calls = iter(range(100))
    page.ask("explore")
    assert not page.messages[-1].get("explores")
    found = shown(page)["found"]
    assert (found["verdict"], found["is_running"], found["can_go_on"]) == ("undecided", False, True)
    assert found["reason"].startswith("interrupted")


def test_a_move_that_is_made_in_parts_goes_on_meanwhile(
    page: FrontEnd, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "SLICE", 0.0)
    monkeypatch.setattr(FrontEnd, "part", 0.0)
    page.ask("explore")
    page.ask("resume")
    page.ask("explore_on")
    assert (page.messages[-1].get("more"), page.messages[-1].get("explores")) == (True, True)
    while page.messages[-1].get("more"):
        page.ask("go_on")
    assert lab.cursor > 0
    assert shown(page)["found"]["is_running"]


def test_what_a_cell_explores_is_shown_too(page: FrontEnd, lab: Lab) -> None:
    lab.explore(invariants={"fits": lambda stack: len(stack.aggregates) < 3}, eventually=())
    page.seen()
    (row,) = shown(page)["found"]["violations"]
    assert row["label"] == "fits"
    page.ask("open_found", kind="broken", name="fits")
    assert set(lab.watches) == {NAME, "fits"}
    lab.at(2).state.contents.views()
    with pytest.raises(Exception, match=r"lab.at\(2\) stays as it is. To explore from there"):
        lab.at(2).explore()


def test_texts_of_the_model_are_made_sound() -> None:
    lab = Lab(fulfilment)
    lab.send(fulfilment.ReceiveStock("mug‮<b>", 8))
    lab.invariant("x‮<i>", lambda stack: not stack.aggregates)
    page = page_of(lab)
    found = explore(page)
    assert "‮" not in repr(shown(page)["commands"]) + found["violations"][0]["label"]
    assert "‮" not in repr(found["violations"][0]["steps"])


def test_time_can_pass_where_only_deadlines_are_set() -> None:
    lab = Lab(holds, stack=theatre())
    lab.send(HoldSeat("A1"))
    lab.resume()
    page = page_of(lab)
    assert shown(page)["start"] == "From step 6, where nothing is pending, and 2 deadlines set"
    assert explore(page)["verdict"] == "holds"
