"""The widget's keys act in the widget, never in the notebook, and never from a text field."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.bare_page import BarePage
from tests.browser.lab_page import LabPage
from tests.browser.lab_widget import BANK, Composite, LabWidget
from tests.browser.plain_page import PlainPage

CELLS = (
    "window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model.sharedModel.getSource())"
)


@pytest.fixture
def widget(lab_page: LabPage) -> LabWidget:
    lab_page.open([BANK, "'a cell below'", "'another'"])
    lab_page.run_all()
    return LabWidget(lab_page)


@pytest.fixture
def plain_widget(plain_page: PlainPage) -> LabWidget:
    plain_page.open([BANK])
    plain_page.run_all()
    return LabWidget(plain_page)


def press(widget: Composite, key: str) -> int:
    widget.root.page.keyboard.press(key)
    widget.root.page.wait_for_timeout(120)
    widget.settle()
    return widget.moment


def test_the_keys_move_the_cursor_and_the_notebook_stays_as_it_is(
    lab_page: LabPage, widget: LabWidget
) -> None:
    before = lab_page.page.evaluate(CELLS)
    widget.root.get_by_role("status").click()
    for key in [
        "d",
        "d",
        "x",
        "a",
        "b",
        "m",
        "y",
        "r",
        "0",
        "0",
        "z",
        "c",
        "v",
        "Enter",
        "Escape",
        "ArrowDown",
    ]:
        lab_page.page.keyboard.press(key)
    assert press(widget, ".") > 1
    over = widget.moment
    assert press(widget, "]") == over + 1
    assert press(widget, "[") == over
    assert press(widget, ",") == 0
    assert press(widget, ">") > 60
    last = widget.moment
    assert press(widget, "Home") == 0
    assert press(widget, "End") == last
    assert lab_page.page.evaluate(CELLS) == before
    expect(widget.root).to_be_focused()


def test_the_keys_are_typed_into_text_fields_and_move_nothing(lab_page: LabPage, widget: LabWidget) -> None:
    before = lab_page.page.evaluate(CELLS)
    for field in (
        widget.root.get_by_label("account_id"),
        widget.root.get_by_role("searchbox", name="Search the state"),
    ):
        field.click()
        lab_page.page.keyboard.type(".,][>/g?ddxab")
        assert field.input_value() == ".,][>/g?ddxab"
        lab_page.page.keyboard.press("Home")
    select = widget.root.get_by_role("combobox", name="Command type")
    select.focus()
    lab_page.page.keyboard.press(".")
    lab_page.page.wait_for_timeout(200)
    assert lab_page.python("lab.cursor") == "0"
    assert lab_page.page.evaluate(CELLS) == before


def test_a_focus_whose_place_is_gone_stays_in_the_widget(lab_page: LabPage, widget: LabWidget) -> None:
    before = lab_page.page.evaluate(CELLS)
    for _ in range(3):
        widget.root.get_by_role("button", name="Drop CreateAccount").first.click()
        lab_page.page.wait_for_timeout(150)
    assert lab_page.page.evaluate("document.activeElement.closest('.cl-root') !== null")
    for key in "ddxx":
        lab_page.page.keyboard.press(key)
    assert lab_page.page.evaluate(CELLS) == before


def test_slash_searches_and_g_goes_to_a_moment(bare: BarePage) -> None:
    press(bare, "Tab")
    bare.press("Resume")
    bare.root.get_by_role("status").click()
    bare.page.keyboard.press("/")
    expect(bare.root.get_by_role("combobox", name="Search the run")).to_be_focused()
    bare.root.get_by_role("status").click()
    bare.page.keyboard.press("g")
    expect(bare.root.get_by_label("Go to")).to_be_focused()
    bare.page.keyboard.type("17")
    assert press(bare, "Enter") == 17


def test_the_help_opens_and_closes_and_gives_the_focus_back(
    plain_page: PlainPage, plain_widget: LabWidget
) -> None:
    button = plain_widget.root.get_by_role("button", name="Step over", exact=True)
    button.focus()
    plain_page.page.keyboard.press("?")
    dialog = plain_widget.root.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    plain_page.page.keyboard.press(".")
    plain_page.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    assert plain_page.python("lab.cursor") == "0", "while the help is open, keys do not act behind it"
    plain_page.page.keyboard.press("?")
    expect(dialog).to_be_visible()
    plain_widget.root.get_by_role("status").click()
    expect(dialog).to_be_hidden()


def test_the_help_closes_at_a_press_anywhere_beside_it_and_at_its_button(
    plain_page: PlainPage, plain_widget: LabWidget
) -> None:
    dialog = plain_widget.root.get_by_role("dialog", name="Keys")
    button = plain_widget.root.locator(".cl-help-button")
    button.click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("heading").click()
    expect(dialog).to_be_visible()
    button.click()
    expect(dialog).to_be_hidden()
    button.click()
    expect(dialog).to_be_visible()
    plain_page.page.locator("footer").click()
    expect(dialog).to_be_hidden()


def test_a_number_that_is_no_moment_does_not_stay_in_the_field(bare: BarePage) -> None:
    field = bare.root.get_by_label("Go to")
    field.fill("999")
    assert press(bare, "Enter") == 0
    expect(bare.root.get_by_role("status")).to_contain_text("there is no moment 999")
    expect(field).to_have_value("0")
    bare.press("Step over")
    last = bare.moment
    field.fill("-1")
    assert press(bare, "Enter") == last
    expect(field).to_have_value(str(last))
