"""The composite in a real JupyterLab: stepping, scrubbing, sending, in both themes and at both widths."""

from __future__ import annotations

import ast
from itertools import pairwise

from playwright.sync_api import expect

from tests.browser.lab_page import LabPage, Theme
from tests.browser.lab_widget import BANK, LabWidget

STATE = """
{stream_id: {f: shown(getattr(state, f)) for f in type(state).__dataclass_fields__}
 for states in (lab.aggregates, lab.process_managers) for stream_id, state in states.items()}
"""


def opened(lab_page: LabPage, *cells: str, theme: Theme = "light") -> LabWidget:
    lab_page.open([f"{BANK}", "from calamity_lab.shown import shown", *cells], theme=theme)
    lab_page.run_all()
    return LabWidget(lab_page)


def test_stepping_to_the_end_back_to_the_start_and_forward_again_shows_the_same_states(
    lab_page: LabPage,
) -> None:
    widget = opened(lab_page)
    seen = {}
    step_over = widget.root.get_by_role("button", name="Step over", exact=True)
    while step_over.get_attribute("aria-disabled") is None:
        widget.press("Step over")
        seen[widget.moment] = (widget.state(), widget.fact)
        python = ast.literal_eval(lab_page.python(STATE.strip().replace("\n", " ")))
        assert {name: fields for name, fields in widget.state().items() if name in python} == python
    assert len(seen) == 15
    for moment in sorted(seen, reverse=True)[:5]:
        assert (widget.moment, widget.state(), widget.fact) == (moment, *seen[moment])
        widget.root.press(",")
        widget.settle()
    widget.press("Restart")
    assert widget.moment == 0
    assert widget.state() == {}
    for moment in sorted(seen)[:5]:
        widget.press("Step over")
        assert (widget.moment, widget.state(), widget.fact) == (moment, *seen[moment])


def test_each_button_moves_as_its_name_says(lab_page: LabPage) -> None:
    widget = opened(lab_page)
    widget.press("Step in")
    assert widget.moment == 1
    widget.press("Step back")
    assert widget.moment == 0
    widget.press("Step over")
    assert widget.fact.endswith("completed")
    widget.press("Resume")
    assert lab_page.python("lab.stepper.at_end") == "True"
    widget.press("Restart")
    assert (widget.moment, widget.fact) == (0, "Nothing has happened yet")
    for _ in range(5):
        widget.press("Step out")
    assert lab_page.python("len(lab.process_managers)") == "0", "the transfer and all that it caused is done"


def test_a_button_that_can_do_nothing_says_so_and_does_nothing(lab_page: LabPage) -> None:
    widget = opened(lab_page)
    back = widget.root.get_by_role("button", name="Step back", exact=True)
    expect(back).to_have_attribute("aria-disabled", "true")
    back.click(force=True)
    assert "cannot" not in widget.fact
    widget.press("Step in")
    expect(back).not_to_have_attribute("aria-disabled", "true")


def test_dragging_the_scrubber_ends_at_the_moment_where_it_is_let_go(lab_page: LabPage) -> None:
    widget = opened(lab_page, "lab.resume()")
    widget.settle()
    box = widget.slider.bounding_box()
    assert box is not None
    mouse, y = lab_page.page.mouse, box["y"] + box["height"] / 2
    mouse.move(box["x"] + box["width"] - 8, y)
    mouse.down()
    for step in range(60):
        mouse.move(box["x"] + box["width"] - 8 - step * (box["width"] - 16) / 90, y)
    mouse.up()
    lab_page.page.wait_for_timeout(200)
    widget.settle()
    moment = widget.moment
    assert 10 < moment < 50
    assert lab_page.python("lab.cursor") == str(moment)
    assert widget.fact.startswith(f"Step {moment}:")


def test_the_state_marks_what_the_command_changed_with_old_and_new_value(lab_page: LabPage) -> None:
    widget = opened(lab_page, "for _ in range(4): lab.step()")
    widget.settle()
    line = widget.root.locator(".cl-card").first.locator("dl > div", has_text="balance")
    assert line.inner_text().split() == ["balance", "0", "→", "10000"]
    assert line.locator("del").inner_text() == "0"


def test_the_search_finds_streams_by_name_and_by_value(lab_page: LabPage) -> None:
    widget = opened(lab_page, "lab.resume()")
    widget.settle()
    search = widget.root.get_by_role("searchbox", name="Search the state")
    search.fill("carol (moved")
    expect(widget.root.locator(".cl-card")).to_have_count(1)
    assert list(widget.state()) == ["BankAccount-carol"]
    search.fill("no such thing")
    expect(widget.root.get_by_text("Nothing here has that")).to_be_visible()


def test_the_table_of_events_greys_the_future_and_jumps_at_a_click(lab_page: LabPage) -> None:
    widget = opened(lab_page, "lab.resume()\nlab.goto(20)")
    widget.settle()
    panel = widget.tab("Events")
    rows = panel.get_by_role("row")
    expect(rows).to_have_count(14)
    classes = rows.evaluate_all("rows => rows.slice(1).map(row => row.className)")
    assert classes == ["cl-past"] * classes.count("cl-past") + ["cl-later"] * classes.count("cl-later")
    assert 0 < classes.count("cl-past") < 13
    panel.get_by_role("row", name="TransferCancelled").or_(rows.nth(10)).first.click()
    lab_page.page.wait_for_timeout(200)
    widget.settle()
    assert lab_page.python("len(lab.events)") == "10"


def test_the_process_graph_tells_the_stage_of_an_instance_and_what_it_waits_for(lab_page: LabPage) -> None:
    widget = opened(lab_page, "for _ in range(5): lab.step()")
    widget.settle()
    panel = widget.tab("Process graph")
    expect(panel.locator(".cl-stage")).to_contain_text("Transfer-rent")
    expect(panel.locator(".cl-stage")).to_contain_text("“initiated”")
    expect(panel.locator(".cl-stage")).to_contain_text("waits for FundsWithdrawn")
    node = panel.locator(".cl-node", has_text="TransferInitiated").first
    assert "cl-happened" in (node.get_attribute("class") or "")
    possible = panel.locator(".cl-node", has_text="FundsRefunded").first
    assert "cl-possible" in (possible.get_attribute("class") or "")


def test_the_tabs_can_be_walked_with_the_arrow_keys(lab_page: LabPage) -> None:
    widget = opened(lab_page)
    widget.root.get_by_role("tab", name="State").focus()
    lab_page.page.keyboard.press("ArrowRight")
    expect(widget.root.get_by_role("tab", name="Process graph")).to_be_focused()
    expect(widget.root.get_by_role("tabpanel", name="Process graph")).to_be_visible()
    lab_page.page.keyboard.press("ArrowLeft")
    expect(widget.root.get_by_role("tabpanel", name="State")).to_be_visible()
    assert widget.root.get_by_role("status").count() == 1


def test_a_pending_command_can_go_next_or_be_dropped(lab_page: LabPage) -> None:
    widget = opened(lab_page)
    pending = widget.root.get_by_role("group", name="Next")
    pending.get_by_role("button", name="Run DepositFunds next").click()
    expect(pending.get_by_role("listitem").first).to_contain_text("DepositFunds")
    assert lab_page.python("type(lab.agenda[0]).__name__") == "'DepositFunds'"
    pending.get_by_role("button", name="Drop DepositFunds").click()
    expect(pending.get_by_role("listitem").first).to_contain_text("CreateAccount")
    assert lab_page.python("len(lab.agenda)") == "9"


def test_a_command_that_broke_in_the_model_is_taken_back_by_its_button(lab_page: LabPage) -> None:
    widget = opened(lab_page, "bank.BankAccount.execute = lambda self, command: 42")
    widget.press("Step over")
    foot = widget.root.get_by_role("status")
    expect(foot).to_contain_text("returned 42")
    expect(foot).to_contain_text("take it back with the ✕ beside it, under Next")
    pending = widget.root.get_by_role("group", name="Next")
    take_back = pending.get_by_role("button", name="Take CreateAccount back")
    expect(take_back).to_have_attribute("title", "Take it back and off the agenda")
    take_back.click()
    expect(take_back).to_have_count(0)
    expect(pending).to_contain_text("9 pending")
    assert lab_page.python("(lab.cursor, len(lab.agenda))") == "(0, 9)"
    expect(foot).not_to_contain_text("returned 42")


def test_a_lab_without_commands_says_how_to_give_them(lab_page: LabPage) -> None:
    told_by_no_type = "bank.BankAccount.execute = lambda self, command: None"
    lab_page.open([f"{BANK}\n{told_by_no_type}\nLab(aggregates=[bank.BankAccount], commands=[])"])
    lab_page.run_all()
    form = LabWidget(lab_page).root.get_by_role("group", name="Command")
    expect(form.get_by_text("commands=[…]")).to_be_visible()
    expect(form.get_by_role("combobox")).to_be_hidden()
    expect(form.get_by_role("button", name="Send")).to_be_hidden()


def test_a_form_says_beside_the_field_what_is_wrong_and_sends_nothing_until_it_is_right(
    lab_page: LabPage,
) -> None:
    widget = opened(lab_page)
    form = widget.root.get_by_role("group", name="Command")
    form.get_by_role("combobox", name="Command type").select_option("DepositFunds")
    form.get_by_label("account_id").fill("alice")
    amount = form.get_by_label("amount")
    amount.fill("ten")
    form.get_by_role("button", name="Send").click()
    expect(amount).to_have_attribute("aria-invalid", "true")
    described = amount.get_attribute("aria-describedby")
    expect(lab_page.page.locator(f"[id='{described}']")).to_contain_text("‘ten’ is no whole number")
    assert lab_page.python("len(lab.agenda)") == "10"
    amount.fill("500")
    amount.press("Enter")
    expect(amount).not_to_have_attribute("aria-invalid", "true")
    expect(widget.root.get_by_role("status")).to_contain_text("DepositFunds is on the agenda")
    assert lab_page.python("lab.agenda[-1]") == (
        "DepositFunds(account_id='alice', amount=500, transfer_id=None)"
    )
    assert amount.input_value() == "500", "the form keeps its values"


def test_acting_in_the_past_shows_the_branches_and_a_button_for_each(lab_page: LabPage) -> None:
    widget = opened(lab_page, "lab.resume()\nlab.goto(5)")
    widget.settle()
    assert not widget.root.get_by_role("group", name="Branches").is_visible()
    widget.root.get_by_role("button", name="Drop CreateAccount").first.click()
    branches = widget.root.get_by_role("group", name="Branches")
    expect(branches.get_by_role("button")).to_have_count(2)
    branches.get_by_role("button", name="main").click()
    lab_page.page.wait_for_timeout(200)
    assert lab_page.python("lab.trace.branch.name") == "'main'"
    expect(branches.get_by_role("button", name="main")).to_have_attribute("aria-pressed", "true")


def test_a_lab_moved_from_python_shows_where_it_is(lab_page: LabPage) -> None:
    widget = opened(lab_page)
    lab_page.run_cell("for _ in range(200):\n    lab.step_in() if not lab.stepper.at_end else None")
    widget.settle()
    assert widget.moment > 60
    assert "BankAccount-bob" in widget.state()


def test_nothing_is_cut_off_at_900_pixels(lab_page: LabPage) -> None:
    widget = opened(lab_page, "lab.resume()\nlab.goto(40)")
    widget.settle()
    widget.root.evaluate("root => { root.parentElement.style.width = '900px'; }")
    lab_page.page.wait_for_timeout(300)
    sticking_out = widget.root.evaluate(
        """root => { const right = root.getBoundingClientRect().right + 0.5;
          return [...root.querySelectorAll('button, input, select, h2, .cl-card, [role=tab]')]
            .filter(node => node.checkVisibility() && node.getBoundingClientRect().right > right)
            .map(node => node.outerHTML.slice(0, 80)); }"""
    )
    assert sticking_out == []
    assert widget.root.evaluate("root => root.scrollWidth <= root.clientWidth")
    too_small = widget.root.evaluate(
        """root => [...root.querySelectorAll('button, select, input:not([type=checkbox])')]
            .filter(node => node.checkVisibility())
            .map(node => [node, node.getBoundingClientRect()])
            .filter(([, box]) => box.height < 24 || box.width < 24)
            .map(([node]) => node.outerHTML.slice(0, 80))"""
    )
    assert too_small == []


PLOTS = """
[...document.querySelectorAll('.cl-timeline')].map(pane => {
  const rows = pane.querySelector('.cl-scroll'), plot = pane.querySelector('.cl-plot');
  const labels = pane.querySelector('.cl-lane-labels');
  return [plot.getBoundingClientRect().width, rows.clientWidth - labels.offsetWidth];
})
"""


SHOW = "shown => { document.querySelector('.jp-Notebook').style.display = shown ? '' : 'none'; }"


def test_a_timeline_whose_events_came_before_it_could_be_seen_is_as_wide_as_its_place(
    lab_page: LabPage,
) -> None:
    lab_page.resize(1900, 2000)
    lab_page.open([BANK])
    lab_page.run_all()
    LabWidget(lab_page).press("Resume")
    # As when a notebook is opened again with its kernel: Python knows already what the page will ask for.
    lab_page.page.evaluate(SHOW, False)
    lab_page.run_cell("lab")
    lab_page.page.wait_for_timeout(500)
    lab_page.page.evaluate(SHOW, True)
    LabWidget(lab_page, 1).settle()
    lab_page.page.wait_for_timeout(300)
    plots = lab_page.page.evaluate(PLOTS)
    assert len(plots) == 2
    assert all(plot == place > 500 for plot, place in plots), plots


def test_a_notebook_opened_again_with_its_kernel_shows_the_timeline_as_wide_as_its_place(
    lab_page: LabPage,
) -> None:
    lab_page.resize(1900, 2000)
    lab_page.open([BANK])
    lab_page.run_all()
    LabWidget(lab_page).press("Resume")
    path = lab_page.page.evaluate(
        "async () => { const shown = window.jupyterapp.shell.currentWidget.context;"
        " await shown.save(); return shown.path; }"
    )
    lab_page.open(path)
    reopened = LabWidget(lab_page)
    reopened.settle()
    assert reopened.moment > 60, "the kernel lives on"
    lab_page.page.wait_for_timeout(300)
    assert all(plot == place > 500 for plot, place in lab_page.page.evaluate(PLOTS))


def test_a_short_history_is_spread_over_the_timeline(lab_page: LabPage) -> None:
    lab_page.resize(1900)
    widget = opened(lab_page, "for _ in range(8): lab.step()")
    widget.settle()
    lab_page.page.wait_for_timeout(200)
    timeline = widget.root.get_by_role("group", name="Timeline")
    places = timeline.locator(".cl-axis text").evaluate_all("all => all.map(text => +text.getAttribute('x'))")
    assert len(places) == int(lab_page.python("len(lab.events)")) == 7
    assert all(40 < right - left < 80 for left, right in pairwise(places)), places
    assert timeline.locator(".cl-axis text").first.text_content() == "1"
