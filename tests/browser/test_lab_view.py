"""The composite under the hands of a person: stepping, scrubbing, searching, sending, branches."""

from __future__ import annotations

from itertools import pairwise

import pytest
from playwright.sync_api import expect

from calamity_lab.examples import bank
from calamity_lab.lab import Lab
from calamity_lab.text import format_value
from tests.browser.bare_page import BarePage
from tests.browser.browser import Browser
from tests.moments import after


def states(lab: Lab) -> dict[str, dict[str, str]]:
    """The fields of every stream in Python, by its id."""
    return {
        stream_id: {field: format_value(getattr(state, field)) for field in type(state).__dataclass_fields__}
        for all_of_a_kind in (lab.aggregates, lab.process_managers)
        for stream_id, state in all_of_a_kind.items()
    }


def test_stepping_to_the_end_back_to_the_start_and_forward_again_shows_the_same_states(
    bare: BarePage,
) -> None:
    seen = {}
    step_over = bare.root.get_by_role("button", name="Step over", exact=True)
    while step_over.get_attribute("aria-disabled") is None:
        bare.press("Step over")
        seen[bare.moment] = (bare.state(), bare.fact)
        python = states(bare.lab)
        assert {name: fields for name, fields in bare.state().items() if name in python} == python
    assert len(seen) == 15
    for moment in sorted(seen, reverse=True)[:5]:
        assert (bare.moment, bare.state(), bare.fact) == (moment, *seen[moment])
        bare.root.press(",")
        bare.settle()
    bare.press("Rewind")
    assert bare.moment == 0
    assert bare.state() == {}
    for moment in sorted(seen)[:5]:
        bare.press("Step over")
        assert (bare.moment, bare.state(), bare.fact) == (moment, *seen[moment])


def test_each_button_moves_as_its_name_says(bare: BarePage) -> None:
    bare.press("Step in")
    assert bare.moment == 1
    bare.press("Step back")
    assert bare.moment == 0
    bare.press("Step over")
    assert bare.fact.endswith("completed")
    bare.press("Resume")
    assert bare.lab.stepper.at_end
    bare.press("Rewind")
    assert (bare.moment, bare.fact) == (0, "Nothing has happened yet")
    for _ in range(5):
        bare.press("Step out")
    assert len(bare.lab.process_managers) == 0, "the transfer and all that it caused is done"


def test_a_button_that_can_do_nothing_says_so_and_does_nothing(bare: BarePage) -> None:
    back = bare.root.get_by_role("button", name="Step back", exact=True)
    expect(back).to_have_attribute("aria-disabled", "true")
    back.click(force=True)
    assert "cannot" not in bare.fact
    bare.press("Step in")
    expect(back).not_to_have_attribute("aria-disabled", "true")


def test_dragging_the_scrubber_ends_at_the_moment_where_it_is_let_go(bare: BarePage) -> None:
    bare.lab.resume()
    bare.settle()
    box = bare.slider.bounding_box()
    assert box is not None
    mouse, y = bare.page.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] + box["width"] - 8, y)
    mouse.down()
    for step in range(60):
        mouse.move(box["x"] + box["width"] - 8 - step * (box["width"] - 16) / 90, y)
    mouse.up()
    bare.page.wait_for_timeout(200)
    bare.settle()
    moment = bare.moment
    assert 10 < moment < 50
    assert bare.lab.cursor == moment
    assert bare.fact.startswith(f"Step {moment}:")


def test_the_state_marks_what_the_command_changed_with_old_and_new_value(bare: BarePage) -> None:
    for _ in range(4):
        bare.lab.step()
    bare.settle()
    line = bare.root.locator(".cl-card").first.locator("dl > div", has_text="balance")
    assert line.inner_text().split() == ["balance", "0", "→", "10000"]
    assert line.locator("del").inner_text() == "0"


def test_the_search_finds_streams_by_name_and_by_value(bare: BarePage) -> None:
    bare.lab.resume()
    bare.settle()
    search = bare.root.get_by_role("searchbox", name="Search the state")
    search.fill("carol (moved")
    expect(bare.root.locator(".cl-card")).to_have_count(1)
    assert list(bare.state()) == ["BankAccount-carol"]
    search.fill("no such thing")
    expect(bare.root.get_by_text("No matches")).to_be_visible()


def test_the_log_greys_the_future_and_jumps_at_a_click(bare: BarePage) -> None:
    bare.lab.resume()
    bare.lab.goto(after(bare.lab, "RequestTransfer"))
    bare.settle()
    panel = bare.tab("Log")
    panel.get_by_role("combobox", name="Rows of the log").select_option("events")
    rows = panel.get_by_role("row")
    expect(rows).to_have_count(14)
    classes = rows.evaluate_all("rows => rows.slice(1).map(row => row.classList[1])")
    assert classes == ["cl-past"] * classes.count("cl-past") + ["cl-later"] * classes.count("cl-later")
    assert 0 < classes.count("cl-past") < 13
    panel.get_by_role("row", name="TransferCancelled").or_(rows.nth(10)).first.click()
    bare.page.wait_for_timeout(200)
    bare.settle()
    assert len(bare.lab.events) == 10


def test_the_process_graph_tells_the_stage_of_an_instance_and_what_it_waits_for(bare: BarePage) -> None:
    for _ in range(5):
        bare.lab.step()
    bare.settle()
    panel = bare.tab("Process graph")
    expect(panel.locator(".cl-stage")).to_contain_text("Transfer-rent")
    expect(panel.locator(".cl-stage")).to_contain_text("“initiated”")
    expect(panel.locator(".cl-stage")).to_contain_text("waits for FundsWithdrawn")
    node = panel.locator(".cl-node", has_text="TransferInitiated").first
    assert "cl-happened" in (node.get_attribute("class") or "")
    possible = panel.locator(".cl-node", has_text="FundsRefunded").first
    assert "cl-possible" in (possible.get_attribute("class") or "")


def test_the_tabs_can_be_walked_with_the_arrow_keys(bare: BarePage) -> None:
    bare.root.get_by_role("tab", name="State").focus()
    bare.page.keyboard.press("ArrowRight")
    expect(bare.root.get_by_role("tab", name="Process graph")).to_be_focused()
    expect(bare.root.get_by_role("tabpanel", name="Process graph")).to_be_visible()
    bare.page.keyboard.press("ArrowLeft")
    expect(bare.root.get_by_role("tabpanel", name="State")).to_be_visible()
    assert bare.root.get_by_role("status").count() == 1


def test_a_pending_command_can_go_next_or_be_dropped(bare: BarePage) -> None:
    pending = bare.root.get_by_role("group", name="Next")
    pending.get_by_role("button", name="Run DepositFunds next").click()
    expect(pending.get_by_role("listitem").first).to_contain_text("DepositFunds")
    assert isinstance(bare.lab.agenda[0], bank.DepositFunds)
    pending.get_by_role("button", name="Drop DepositFunds").click()
    expect(pending.get_by_role("listitem").first).to_contain_text("CreateAccount")
    assert len(bare.lab.agenda) == 9


def test_a_command_that_broke_in_the_model_is_taken_back_by_its_button(
    bare: BarePage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank.BankAccount, "execute", lambda self, command: 42)
    bare.press("Step over")
    foot = bare.root.get_by_role("status")
    expect(foot).to_contain_text("returned 42")
    expect(foot).to_contain_text("press the ✕ beside it under Next")
    pending = bare.root.get_by_role("group", name="Next")
    take_back = pending.get_by_role("button", name="Take CreateAccount back")
    expect(take_back).to_have_attribute("title", "Take this command back, off the agenda")
    take_back.click()
    expect(take_back).to_have_count(0)
    expect(pending).to_contain_text("9 pending")
    assert (bare.lab.cursor, len(bare.lab.agenda)) == (0, 9)
    expect(foot).not_to_contain_text("returned 42")


def test_a_lab_without_commands_says_how_to_give_them(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank.BankAccount, "execute", lambda self, command: None)  # no type tells of commands
    bare = BarePage(browser.page(), Lab(aggregates=[bank.BankAccount], commands=[]))
    form = bare.root.get_by_role("group", name="Command")
    expect(form.get_by_text("commands=[…]")).to_be_visible()
    expect(form.get_by_role("combobox")).to_be_hidden()
    expect(form.get_by_role("button", name="Send")).to_be_hidden()
    browser.take_back(bare)


def test_a_form_says_beside_the_field_what_is_wrong_and_sends_nothing_until_it_is_right(
    bare: BarePage,
) -> None:
    form = bare.root.get_by_role("group", name="Command")
    form.get_by_role("combobox", name="Command type").select_option("DepositFunds")
    form.get_by_label("account_id").fill("alice")
    amount = form.get_by_label("amount")
    amount.fill("ten")
    form.get_by_role("button", name="Send").click()
    expect(amount).to_have_attribute("aria-invalid", "true")
    described = amount.get_attribute("aria-describedby")
    expect(bare.page.locator(f"[id='{described}']")).to_contain_text("‘ten’ is not a whole number")
    assert len(bare.lab.agenda) == 10
    amount.fill("500")
    amount.press("Enter")
    expect(amount).not_to_have_attribute("aria-invalid", "true")
    expect(bare.root.get_by_role("status")).to_contain_text("DepositFunds is on the agenda")
    assert repr(bare.lab.agenda[-1]) == "DepositFunds(account_id='alice', amount=500, transfer_id=None)"
    assert amount.input_value() == "500", "the form keeps its values"


def test_branches_are_lines_on_the_axis_of_the_slider_that_are_pressed_renamed_and_removed(
    bare: BarePage,
) -> None:
    bare.lab.resume()
    bare.lab.goto(after(bare.lab, "Completed"))
    bare.settle()
    branches = bare.root.get_by_role("group", name="Branches")
    assert not branches.is_visible()
    bare.root.get_by_role("button", name="Drop CreateAccount").first.click()
    bare.settle()
    assert bare.fact.endswith(f"New branch 'branch 1' from step {bare.lab.cursor}; 'main' is kept")
    other = branches.get_by_role("button", name=f"branch 1, left main at step {bare.lab.cursor}")
    expect(other).to_have_attribute("aria-pressed", "true")
    branches.get_by_role("button", name="main, the first branch").click()
    bare.settle()
    assert bare.lab.trace.branch.name == "main"
    # It leaves main under the very point of the slider at which it did.
    rail, fork = (
        bare.root.locator(".cl-rail").bounding_box(),
        branches.locator(".cl-branch-fork").last.bounding_box(),
    )
    assert rail
    assert fork
    share = bare.lab.branches["branch 1"].forked_at / bare.lab.trace.last
    assert abs(rail["x"] + share * rail["width"] - fork["x"]) < 2

    branches.get_by_role("button", name="Rename branch 1").click()
    field = branches.get_by_role("textbox", name="Name of branch 1")
    field.fill("main")
    field.press("Enter")
    expect(field).to_have_attribute("aria-invalid", "true")
    assert "the name 'main' is taken" in bare.fact
    field.fill("what if")
    field.press("Enter")
    expect(branches.get_by_role("button", name="what if, left main")).to_be_focused()
    branches.get_by_role("button", name="Rename what if").press("Enter")
    branches.get_by_role("textbox", name="Name of what if").press("Escape")
    expect(branches.get_by_role("button", name="what if, left main")).to_be_focused()
    assert not branches.get_by_role("button", name="Remove main").is_visible(), "it is looked at"
    branches.get_by_role("button", name="Remove what if").click()
    bare.settle()
    assert (list(bare.lab.branches), branches.is_visible()) == (["main"], False)
    assert bare.fact == "The branch 'what if' was removed"


def test_all_branches_of_many_can_be_reached_and_folded_again(bare: BarePage) -> None:
    for number in range(70):
        bare.lab.fork(f"b{number}")
    bare.settle()
    branches = bare.root.get_by_role("group", name="Branches")
    names, more = branches.locator(".cl-branch-name"), branches.get_by_role("button", name="more branches")
    fewer = branches.get_by_role("button", name="Fewer branches")
    expect(more).to_have_text("68 more")
    for shown in (60, 71):
        more.press("Enter")
        bare.settle()
        expect(names).to_have_count(shown)
    expect(more).to_be_hidden()
    expect(fewer).to_be_focused()
    fewer.press("Enter")
    bare.settle()
    expect(names).to_have_count(3)
    expect(more).to_be_focused()
    bare.lab.switch("main")
    for number in range(70):
        bare.lab.remove(f"b{number}")
    bare.settle()


def test_a_short_history_is_spread_over_the_timeline(bare: BarePage) -> None:
    bare.page.set_viewport_size({"width": 1900, "height": 900})
    bare.widen(1800)
    for _ in range(8):
        bare.lab.step()
    bare.settle()
    bare.page.wait_for_timeout(200)
    timeline = bare.root.get_by_role("group", name="Timeline")
    places = timeline.locator(".cl-axis text").evaluate_all("all => all.map(text => +text.getAttribute('x'))")
    assert len(places) == len(bare.lab.events) == 7
    assert all(40 < right - left < 80 for left, right in pairwise(places)), places
    assert timeline.locator(".cl-axis text").first.text_content() == "1"
