"""A message whole: opened from a row, a mark or a pending command, by mouse and by keys, in every width."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from calamity_lab.examples import bank
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.messages import command
from calamity_lab.lab import Lab
from calamity_lab.trace.selection import NOTHING
from calamity_lab.widgets.view_widget import ViewWidget
from tests.browser.accessibility import axe
from tests.browser.bare_page import BarePage
from tests.browser.browser import Browser
from tests.browser.test_hostile_text import FAULTS
from tests.browser.test_page import RunPage
from tests.hostile import hostile_lab
from tests.moments import after


def story() -> Lab:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(*bank.story(), metadata={"user": "ada"})
    lab.resume()
    return lab


@pytest.fixture(scope="module")
def shared(browser: Browser) -> Iterator[BarePage]:
    bare = BarePage(browser.page(width=1300, height=1400), story(), width=900)
    yield bare
    browser.take_back(bare)


@pytest.fixture
def bare(shared: BarePage) -> BarePage:
    """After the story, nothing selected and nothing opened, on the events."""
    if shared.root.get_by_role("dialog").is_visible():
        shared.root.get_by_role("button", name="Close the details").click()
    shared.widen(900)
    shared.lab.goto(shared.lab.trace.last)
    shared.lab.stepper.select(NOTHING)
    shared.root.get_by_role("tab", name="Log").click()
    shared.settle()
    return shared


def panel(bare: BarePage) -> Locator:
    return bare.root.get_by_role("dialog")


def row(bare: BarePage, name: str) -> Locator:
    """The button of the first row with that text in the log, which shows it whole."""
    return bare.root.get_by_role("row").filter(has_text=f"{name} #").first.get_by_role("button")


@pytest.mark.parametrize("width", [1300, 900, 700, 560])
def test_a_row_of_the_log_opens_whole_with_its_ids_its_time_and_its_metadata(
    bare: BarePage, width: int
) -> None:
    bare.widen(width)
    row(bare, "FundsWithdrawn").click()
    bare.settle()
    event = next(event for event in bare.lab.history if event.event_type == "FundsWithdrawn")
    expect(panel(bare)).to_have_accessible_name(f"FundsWithdrawn #{event.position}")
    expect(panel(bare)).to_be_in_viewport()
    if width < 860:  # it covers the row
        expect(panel(bare).get_by_role("heading", level=2)).to_be_focused()
        expect(bare.root.get_by_role("tab", name="State")).to_be_hidden()
    for text in (event.event_id, event.causation_id, event.correlation_id, "UTC", "ada", "WithdrawFunds"):
        expect(panel(bare).get_by_text(str(text)).first).to_be_attached()
    assert bare.lab.cursor == bare.lab.trace.last, "to look at a message moves nothing"
    assert bare.root.evaluate(FAULTS) == []
    panel(bare).get_by_role("button", name="Close the details").click()
    expect(panel(bare)).to_be_hidden()


def test_a_link_leads_to_the_cause_and_to_each_effect_and_takes_the_focus_along(bare: BarePage) -> None:
    row(bare, "TransferInitiated").click()
    bare.settle()
    panel(bare).get_by_role("group", name="Led to").get_by_role("button").first.click()
    bare.settle()
    started = after(bare.lab, "Started")
    expect(panel(bare)).to_have_accessible_name(f"Transfer-rent started at step {started}")
    assert bare.lab.cursor == started
    expect(panel(bare).get_by_role("heading", level=2)).to_be_focused()
    panel(bare).get_by_role("group", name="Caused by").get_by_role("button").click()
    bare.settle()
    expect(panel(bare)).to_have_accessible_name("TransferInitiated #5")
    assert bare.lab.cursor == after(bare.lab, "TransferInitiated")


def test_why_is_answered_in_three_presses_by_mouse_and_by_keys_and_its_links_lead_along(
    bare: BarePage,
) -> None:
    row(bare, "FundsWithdrawn").click()
    bare.settle()
    panel(bare).get_by_role("button", name="Why?").click()
    bare.settle()
    answer = panel(bare).get_by_role("group", name="Why: FundsWithdrawn #6")
    names = [link.inner_text().split(" ")[0] for link in answer.get_by_role("button").all()]
    assert [name for name in names if name] == [
        "WithdrawFunds", "Transfer-rent", "TransferInitiated", "RequestTransfer",
    ]  # fmt: skip
    answer.get_by_role("button", name="TransferInitiated #5 step").click()
    bare.settle()
    assert bare.lab.cursor == after(bare.lab, "TransferInitiated")
    expect(panel(bare)).to_have_accessible_name("TransferInitiated #5")
    expect(answer).to_be_visible()
    row(bare, "AccountCreated").click()
    bare.settle()
    expect(answer).to_be_hidden()

    bare.lab.goto(bare.lab.trace.last)
    bare.root.get_by_role("tab", name="State").click()
    bare.settle()
    bob = bare.root.locator(".cl-card").filter(has_text="BankAccount-bob")
    bob.get_by_role("button", name="name, history").focus()
    bare.page.keyboard.press("Enter")
    bare.settle()
    bare.page.keyboard.press("Tab")
    bare.page.keyboard.press("Enter")
    bare.settle()
    answer = panel(bare).get_by_role(
        "group", name=f"Why: name of BankAccount-bob is Bob at step {bare.lab.cursor}"
    )
    expect(answer.get_by_text("copied from AccountCreated.name")).to_be_visible()
    expect(panel(bare).get_by_role("heading", level=2)).to_be_focused()

    bare.lab.goto(5)
    bare.lab.note("five steps")
    bare.lab.goto(9)
    bare.settle()
    bare.root.get_by_role("group", name="Notes").get_by_role("button", name="five steps").click()
    bare.settle()
    assert bare.lab.cursor == 5


def test_why_not_and_a_note_take_at_most_three_presses_by_mouse_and_by_keys(bare: BarePage) -> None:
    keys, note = bare.page.keyboard, bare.root.get_by_role("textbox", name="Note")
    bare.widen(1200)
    bare.button("Note").click()
    expect(note).to_be_focused()
    keys.type("all is well")
    keys.press("Enter")
    bare.settle()
    expect(bare.button("Note")).to_be_focused()
    expect(
        bare.root.get_by_role("group", name="Notes").get_by_role("button", name="all is well")
    ).to_be_visible()

    bare.root.get_by_label("Command type").select_option("RefundTransfer")
    bare.button("Why not?").focus()
    keys.press("Enter")
    bare.settle()
    expect(panel(bare).get_by_role("heading", level=2, name="RefundTransfer")).to_be_focused()
    answer = panel(bare).get_by_role("group", name="Why not: RefundTransfer")
    answer.get_by_role("button").first.click()
    bare.settle()
    expect(answer).to_be_visible()

    panel(bare).get_by_role("button", name="Note…").focus()
    for key in ("Enter", "Escape"):
        keys.press(key)
    expect(panel(bare).get_by_role("button", name="Note…")).to_be_focused()
    keys.press("Enter")
    keys.type("it was refunded here")
    keys.press("Enter")
    bare.settle()
    expect(panel(bare)).to_be_visible()
    kept = bare.lab.notes[-1]
    assert (kept.text, kept.moment.index) == ("it was refunded here", bare.lab.cursor)
    assert kept.selection == bare.lab.stepper.selection


def test_a_test_and_a_cell_are_copied_in_three_presses_by_mouse_and_by_keys(bare: BarePage) -> None:
    bare.page.evaluate(
        "() => document.addEventListener('copy', () => { window.copied = String(getSelection()); })"
    )
    row(bare, "FundsWithdrawn").click()
    bare.settle()
    panel(bare).get_by_role("button", name="Copy as test").click()
    bare.settle()
    panel(bare).get_by_role("group", name="As a test").get_by_role("button", name="Copy").click()
    expect(panel(bare).get_by_role("button", name="Copied")).to_be_visible()
    copied = bare.page.evaluate("() => window.copied")
    assert copied.strip() == bare.lab.to_test(after(bare.lab, "FundsWithdrawn")).strip()
    space: dict[str, Any] = {}
    exec(compile(copied, "copied", "exec"), space)
    space["test_withdraw_funds_leads_to_funds_withdrawn"]()
    bare.page.keyboard.press("Escape")

    row(bare, "TransferInitiated").focus()
    for name in (None, "Copy as cell", "Copy"):
        if name is not None:
            panel(bare).get_by_role("button", name=name, exact=True).focus()
        bare.page.keyboard.press("Enter")
        bare.settle()
    expect(panel(bare).get_by_role("button", name="Copied")).to_be_visible()
    copied = bare.page.evaluate("() => window.copied")
    assert copied.strip() == bare.lab.to_code(after(bare.lab, "TransferInitiated")).strip()


def test_a_mark_opens_by_a_press_and_by_enter_and_escape_gives_the_focus_back(bare: BarePage) -> None:
    marks = bare.root.get_by_role("listbox", name="What happened, in order")
    mark = marks.get_by_role("option")
    mark.focus()
    bare.page.keyboard.press("Enter")
    bare.settle()
    title = panel(bare).get_by_role("heading", level=2)
    expect(title).to_be_focused()
    bare.page.keyboard.press("Escape")
    bare.settle()
    expect(panel(bare)).to_be_hidden()
    expect(mark).to_be_focused()
    assert bare.lab.stepper.selection != NOTHING
    box = mark.bounding_box()
    assert box is not None
    bare.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    bare.settle()
    expect(panel(bare)).to_be_visible()
    expect(mark).to_be_focused()
    bare.page.keyboard.press("Escape")
    bare.settle()
    expect(panel(bare)).to_be_hidden()


def test_a_rejection_opens_with_its_reason_and_its_details(browser: Browser) -> None:
    lab = story()
    refused = lab.trace[after(lab, "Refused")].step
    assert refused is not None
    assert refused.rejected is not None
    lab.goto(refused.index)
    bare = BarePage(browser.page(width=1000, height=1000), lab, width=900)
    bare.root.get_by_role("listbox", name="What happened, in order").get_by_role("option").focus()
    bare.page.keyboard.press("Enter")
    bare.settle()
    rejection = panel(bare).get_by_role("group", name="rejection")
    expect(rejection).to_contain_text(refused.rejected.reason)
    for name in refused.rejected.details:
        expect(rejection).to_contain_text(name)
    browser.take_back(bare)


def test_the_panel_costs_nothing_until_it_is_opened_and_follows_the_selection_then(bare: BarePage) -> None:
    bare.asked.clear()
    bare.lab.select(3)
    bare.settle()
    assert bare.widget.contents.views()["details"].sections == ()
    expect(panel(bare)).to_be_hidden()
    row(bare, "FundsRefunded").click()
    bare.settle()
    bare.lab.select(3)
    bare.settle()
    expect(panel(bare)).to_have_accessible_name("AccountCreated #3")


def test_a_pending_command_opens_by_its_name_and_gives_the_focus_back(browser: Browser) -> None:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(bank.DepositFunds("alice", 30), bank.WithdrawFunds("alice", 99))
    bare = BarePage(browser.page(width=1000, height=1400), lab, width=900)
    name = bare.root.get_by_role("button", name="WithdrawFunds", exact=True)
    name.focus()
    bare.page.keyboard.press("Enter")
    bare.settle()
    expect(panel(bare)).to_have_accessible_name("WithdrawFunds pending")
    expect(panel(bare)).to_contain_text(lab.agenda.pending[1].command_id)
    expect(panel(bare).get_by_role("heading", level=2)).to_be_focused()
    bare.page.keyboard.press("Escape")
    expect(name).to_be_focused()
    browser.take_back(bare)


@pytest.mark.parametrize("face", ["log", "timeline", "agenda", "sequence"])
def test_every_single_view_opens_the_same_panel(browser: Browser, face: str) -> None:
    lab = story()
    lab.send(bank.DepositFunds("alice", 30))
    lab.watch("accounts", lambda stack: len(stack.aggregates))
    two = lab.invariant("two", lambda stack: len(stack.aggregates) == 2)
    bare = BarePage(browser.page(width=1000, height=1400), lab, ViewWidget(lab, face), width=800)
    watches = bare.root.get_by_role("list", name="Watches").get_by_role("listitem")
    expect(watches).to_have_text(["accounts: 3", "two: does not hold"])
    first = {
        "log": bare.root.get_by_role("row").filter(has_text="#13").first,
        "agenda": bare.root.get_by_role("button", name="DepositFunds", exact=True),
    }.get(face, bare.root.get_by_role("option").last)
    first.focus()
    bare.page.keyboard.press("Enter")
    bare.settle()
    expect(panel(bare).get_by_role("heading", level=2)).to_be_focused()
    expect(panel(bare)).to_contain_text("correlation id")
    bare.page.keyboard.press("Escape")
    expect(panel(bare)).to_be_hidden()
    lab.restart()
    two.is_on = False
    bare.settle()
    expect(watches).to_have_text(["accounts: 0"])
    browser.take_back(bare)


@command(to="Note", by="id")
@dataclass(frozen=True)
class Write:
    id: str
    text: str
    parts: Any = None


@dataclass(frozen=True)
class Written:
    text: str
    parts: Any


@dataclass(frozen=True)
class Note:
    id: str

    @classmethod
    def new(cls, aggregate_id: str) -> Note:
        return cls(aggregate_id)

    def execute(self, write: Write) -> Written:
        return Written(write.text, write.parts)

    def apply(self, event: Written) -> Note:
        return self


def test_values_fold_and_unfold_a_long_text_is_cut_with_show_more_and_all_can_be_copied(
    browser: Browser,
) -> None:
    lab = Lab(aggregates=[Note], commands=[Write], ids=seeded_ids(7), clock=ticking_clock())
    lab.send(Write("1", "w" * 1_000_000, {"small": {"a": 1}, "large": list(range(50))}))
    lab.resume()
    bare = BarePage(browser.page(width=1000, height=1400), lab, width=900)
    bare.root.get_by_role("tab", name="Log").click()
    row(bare, "Written").click()
    bare.settle()
    text = panel(bare).locator(".cl-details-value").first
    for shown in (2_000, 20_000, 200_000):
        expect(text).to_have_js_property("textContent", "w" * (shown - 1) + "…")
        panel(bare).get_by_role("button", name="Show more of text").click()
        bare.settle()
    expect(text).to_have_js_property("textContent", "w" * 1_000_000)
    expect(panel(bare).get_by_role("button", name="Show more of text")).to_be_hidden()
    panel(bare).get_by_role("button", name="'small', 1 value").click()
    bare.settle()
    expect(panel(bare).get_by_text("'a'", exact=True)).to_have_count(0)
    panel(bare).get_by_role("button", name="'large', 50 values").click()
    bare.settle()
    expect(panel(bare).get_by_text("[19]", exact=True)).to_be_attached()
    bare.page.evaluate(
        "() => document.addEventListener('copy', () => { window.copied = String(getSelection()); })"
    )
    panel(bare).get_by_role("button", name="Copy event id").click()
    expect(panel(bare).get_by_role("button", name="Copied")).to_be_visible()
    assert bare.page.evaluate("() => window.copied") == lab.history[0].event_id
    browser.take_back(bare)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_panel_has_names_contrasts_and_sizes_that_everybody_can_use(browser: Browser, theme: str) -> None:
    bare = BarePage(browser.page(width=1000, height=2200), story(), width=900, theme=theme)
    bare.root.get_by_role("separator", name="Height of the lab").press("End")  # axe asks only what it sees
    bare.root.get_by_role("tab", name="Log").click()
    row(bare, "TransferInitiated").click()
    bare.settle()
    assert axe(bare.page, ".cl-details") == []
    browser.take_back(bare)


def test_hostile_text_is_text_within_its_box_in_the_panel(browser: Browser) -> None:
    bare = BarePage(browser.page(width=1000, height=1400), hostile_lab(), width=700, theme="dark")
    bare.root.get_by_role("tab", name="Log").click()
    bare.settle()
    for n in (1, 3):
        bare.root.get_by_role("row").nth(n).get_by_role("button").focus()
        bare.page.keyboard.press("Enter")
        bare.settle()
        expect(panel(bare)).to_be_visible()
        assert bare.root.evaluate(FAULTS) == []
        bare.page.keyboard.press("Escape")
        bare.settle()
    browser.take_back(bare)


def test_a_page_shows_a_message_whole_without_a_kernel(browser: Browser, tmp_path: Path) -> None:
    lab = story()
    lab.send(bank.DepositFunds("alice", 30))
    shown = RunPage(browser.page(width=1100, height=1200), lab.to_html(tmp_path / "run.html"))
    shown.root.get_by_role("tab", name="Log").click()
    row = shown.root.get_by_role("row").filter(has_text="FundsWithdrawn #").first.get_by_role("button")
    row.click()
    details = shown.root.get_by_role("dialog")
    event = next(event for event in lab.history if event.event_type == "FundsWithdrawn")
    expect(details).to_have_accessible_name(f"FundsWithdrawn #{event.position}")
    expect(details).to_contain_text(event.event_id)
    details.get_by_role("group", name="Led to").get_by_role("button").first.click()
    expect(details).to_have_accessible_name("Transfer-rent continued at step 28")
    shown.page.keyboard.press("Escape")
    expect(details).to_be_hidden()
    shown.page.keyboard.press("End")
    shown.root.get_by_role("button", name="DepositFunds", exact=True).click()
    expect(details).to_have_accessible_name("DepositFunds pending")
    assert shown.complaints == []
    browser.close(shown.page)


def test_a_submitted_command_is_left_out_and_changed_by_mouse_and_by_keys_in_three_actions(
    bare: BarePage,
) -> None:
    keys = bare.page.keyboard
    while bare.lab.agenda:  # what an earlier test has left
        bare.lab.drop(0)
    bare.lab.send(bank.DepositFunds("alice", 5), bank.DepositFunds("alice", 7))
    bare.settle()
    pending = bare.root.get_by_role("button", name="DepositFunds", exact=True)
    # By mouse: the command, then "Leave out".
    pending.first.click()
    bare.settle()
    panel(bare).get_by_role("button", name="Leave out").click()
    bare.settle()
    assert [each.amount for each in bare.lab.agenda] == [7]
    assert "commands replayed on 'without DepositFunds'" in bare.fact
    expect(panel(bare).get_by_role("heading", level=2)).to_be_focused()
    expect(panel(bare).get_by_role("heading", name="Replay: without DepositFunds")).to_be_visible()
    # By keys: Enter on the command, Enter on "Change", then the value and Enter.
    pending.first.focus()
    keys.press("Enter")
    bare.settle()
    panel(bare).get_by_role("button", name="Change…").focus()
    keys.press("Enter")
    bare.settle()
    form = bare.root.get_by_role("group", name="Change DepositFunds")
    expect(form.get_by_label("account_id")).to_be_focused()
    expect(form.get_by_label("account_id")).to_have_value("alice")
    form.get_by_label("amount").fill("9")
    keys.press("Enter")
    bare.settle()
    assert [each.amount for each in bare.lab.agenda] == [9]
    assert "replayed on 'DepositFunds changed'" in bare.fact
    expect(bare.root.get_by_role("group", name="Command").get_by_role("button", name="Send")).to_be_visible()
    # Escape leaves the form, and brings back what was typed in it before.
    command = bare.root.get_by_role("group", name="Command")
    command.get_by_role("combobox", name="Command type").select_option("DepositFunds")
    command.get_by_label("account_id").fill("carol")
    pending.first.click()
    bare.settle()
    panel(bare).get_by_role("button", name="Change…").click()
    bare.settle()
    expect(form.get_by_label("account_id")).to_have_value("alice")
    keys.press("Escape")
    bare.settle()
    expect(command.get_by_label("account_id")).to_have_value("carol")
    # By keys: Enter on the command, Enter on "Leave out".
    pending.first.focus()
    keys.press("Enter")
    bare.settle()
    panel(bare).get_by_role("button", name="Leave out").focus()
    keys.press("Enter")
    bare.settle()
    assert list(bare.lab.agenda) == []
    bare.lab.switch("main")


def test_commands_are_moved_and_inserted_by_mouse_and_by_keys(bare: BarePage) -> None:
    keys = bare.page.keyboard
    while bare.lab.agenda:  # what an earlier test has left
        bare.lab.drop(0)
    bare.lab.send(bank.DepositFunds("alice", 5), bank.DepositFunds("alice", 7))
    bare.settle()
    pending = bare.root.get_by_role("button", name="DepositFunds", exact=True)

    def does(which: int, action: str, *, by_keys: bool) -> None:
        """Open a pending command, and press one of its actions."""
        for button in (pending.nth(which), panel(bare).get_by_role("button", name=action)):
            button.focus() if by_keys else button.click()
            if by_keys:
                keys.press("Enter")
            bare.settle()

    def amounts() -> list[int]:
        return [each.amount for each in bare.lab.agenda]

    does(0, "Move later", by_keys=False)
    assert amounts() == [7, 5]
    assert "replayed on 'DepositFunds moved'" in bare.fact
    does(0, "Move later", by_keys=True)
    assert amounts() == [5, 7]
    does(1, "Move earlier", by_keys=False)
    assert amounts() == [7, 5]
    does(1, "Move earlier", by_keys=True)
    assert amounts() == [5, 7]
    expect(panel(bare).get_by_role("button", name="Move earlier")).to_be_focused()

    form = bare.root.get_by_role("group", name="Insert before DepositFunds")
    for amount, by_keys in ((1, False), (2, True)):
        does(1, "Insert before…", by_keys=by_keys)
        choice = form.get_by_role("combobox", name="Command type")
        expect(choice).to_be_focused()
        choice.select_option("DepositFunds")
        form.get_by_label("account_id").fill("alice")
        form.get_by_label("amount").fill(str(amount))
        if by_keys:
            keys.press("Enter")
        else:
            form.get_by_role("button", name="Replay").click()
        bare.settle()
    assert amounts() == [5, 2, 1, 7]
    assert "replayed on 'with DepositFunds 2'" in bare.fact
    bare.lab.switch("main")
    assert amounts() == [5, 7]


def test_break_here_by_mouse_and_by_keys_then_resume_stops_there(bare: BarePage) -> None:
    lab = bare.lab
    withdrawn = [at for at, step in enumerate(lab.trace.steps, 1) if "FundsWithdrawn" in step.event_types]
    recorded = [at for at in withdrawn if lab.trace[at].step.recorded]  # type: ignore[union-attr]
    row(bare, "FundsWithdrawn").click()
    panel(bare).get_by_role("button", name="Break here: every FundsWithdrawn").click()
    bare.settle()
    stops = bare.root.get_by_role("list", name="Breakpoints and watches").get_by_role("listitem")
    expect(stops).to_have_count(1)
    panel(bare).get_by_role("button", name="Close the details").click()
    lab.goto(recorded[0])
    bare.settle()
    bare.press("Resume")
    assert lab.cursor == recorded[1]
    assert bare.fact.startswith(f"Stopped at step {lab.cursor}: breakpoint on FundsWithdrawn")
    bare.press("Back to the last stop")
    assert lab.cursor == recorded[0]

    bare.root.get_by_role("checkbox", name="breakpoint FundsWithdrawn").click()
    bare.press("Resume")
    assert lab.stepper.at_end
    bare.root.get_by_role("button", name="Remove the breakpoint FundsWithdrawn").click()
    expect(stops).to_have_count(0)

    lab.goto(3)
    bare.settle()
    bare.root.get_by_role("listbox", name="What happened, in order").get_by_role("option").focus()
    bare.page.keyboard.press("Enter")
    bare.settle()
    bare.page.keyboard.press("b")
    bare.page.keyboard.press(">")
    bare.settle()
    assert bare.fact.startswith("Stopped at step 6: breakpoint on CreateAccount")
    bare.page.keyboard.press("<")
    bare.settle()
    assert lab.cursor == 1

    bare.root.get_by_role("combobox", name="Break on").select_option(label="Every rejection")
    bare.settle()
    bare.press("Resume")
    assert {str(each.target) for each in lab.breakpoints} == {"CreateAccount", "rejections"}
    bare.page.keyboard.press("Escape")
    bare.settle()
    lab.goto(-1)
    bare.settle()
    bare.tab("State").get_by_role("button", name="balance, history").first.click()
    bare.root.get_by_role("button", name="Break on change of balance").click()
    bare.root.get_by_role("button", name="Watch balance").click()
    bare.settle()
    expect(stops).to_have_count(4)
    assert [name.endswith(".balance") for name in lab.watches] == [True]
    lab.breakpoints.clear()
    lab.watches.clear()
    bare.settle()
