"""The sequence diagram in a page: mouse and keys go to a message."""

from __future__ import annotations

from playwright.sync_api import expect

from calamity_lab.examples import bank
from tests.browser.lab_widget import BANK, LabWidget
from tests.browser.plain_page import PlainPage
from tests.moments import after
from tests.views.traces import story_of

SHOWN = "lab\n"
STORY = story_of(bank)
"""The run of `BANK`, here."""


def test_a_row_is_gone_to_by_a_click_and_by_keys_and_the_present_one_is_marked(plain_page: PlainPage) -> None:
    initiated = after(STORY, "TransferInitiated")
    plain_page.open([f"{BANK.removesuffix(SHOWN)}lab.resume()\nlab.goto({initiated})\nlab"])
    plain_page.run_all()
    widget = LabWidget(plain_page)
    panel = widget.tab("Sequence")
    present = panel.get_by_role("option", selected=True)
    expect(present).to_have_attribute("aria-label", "TransferInitiated #5: transfer_id='rent', "
                                      "from_account='alice', to_account='bob', amount=6000")  # fmt: skip
    panel.get_by_role("option", name="WithdrawFunds(account_id='alice'").click()
    widget.settle()
    assert widget.moment == after(STORY, "WithdrawFunds")
    plain_page.page.keyboard.press(
        "Escape"
    )  # closes the details, which cover the rows where there is no room
    expect(present).to_be_focused()
    plain_page.page.keyboard.press("ArrowDown")
    plain_page.page.keyboard.press("ArrowDown")
    plain_page.page.keyboard.press("Enter")
    widget.settle()
    continued = after(STORY, "Continued")
    assert widget.moment == continued
    assert widget.fact == f"Step {continued}: Transfer-rent continued by FundsWithdrawn, sends DepositFunds"
    plain_page.page.keyboard.press("Escape")  # closes the details that Enter opened
    expect(present).to_be_focused()
    assert present.count() == 1
