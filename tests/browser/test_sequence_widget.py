"""The sequence diagram in a page: mouse and keys go to a message, and any text stays text in its place."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.lab_page import LabPage
from tests.browser.lab_widget import BANK, LabWidget

HOSTILE = """
from dataclasses import dataclass
from calamity_lab import Lab, Rejected, command

NASTY = "<img src=x onerror='window.broken = 1'>end; #35; שלום \\u202e 😀" + "W" * 300

@command(to="Note", by="id")
@dataclass(frozen=True)
class WriteNote:
    id: str

@dataclass(frozen=True)
class Note:
    id: str
    @classmethod
    def new(cls, id):
        return cls(id)
    def execute(self, command):
        raise Rejected(NASTY)
    def apply(self, event):
        return self

hostile = Lab(aggregates=[Note], commands=[WriteNote])
hostile.send(WriteNote(NASTY))
hostile.resume()
hostile.sequence
"""
SHOWN = "lab\n"
INSIDE = """root => {
  const box = root.getBoundingClientRect();
  return [...root.querySelectorAll('.cl-told text, .cl-cast-head span')].every(node => {
    const own = node.getBoundingClientRect();
    return !own.width || (own.left >= box.left - 1 && own.right <= box.right + 1);
  });
}"""


def test_a_row_is_gone_to_by_a_click_and_by_keys_and_the_present_one_is_marked(lab_page: LabPage) -> None:
    lab_page.open([f"{BANK.removesuffix(SHOWN)}lab.resume()\nlab.goto(22)\nlab"])
    lab_page.run_all()
    widget = LabWidget(lab_page)
    panel = widget.tab("Sequence")
    present = panel.get_by_role("option", selected=True)
    expect(present).to_have_attribute("aria-label", "TransferInitiated #5: transfer_id='rent', "
                                      "from_account='alice', to_account='bob', amount=6000")  # fmt: skip
    panel.get_by_role("option", name="WithdrawFunds(account_id='alice'").click()
    widget.settle()
    assert widget.moment == 25
    lab_page.page.keyboard.press("ArrowDown")
    lab_page.page.keyboard.press("ArrowDown")
    lab_page.page.keyboard.press("Enter")
    widget.settle()
    assert (widget.moment, widget.fact) == (
        28,
        "Step 28: Transfer-rent continued by FundsWithdrawn, sends DepositFunds",
    )
    expect(present).to_be_focused()
    assert present.count() == 1


def test_hostile_text_stays_text_and_within_its_box(lab_page: LabPage) -> None:
    lab_page.open([HOSTILE])
    lab_page.run_all()
    root = lab_page.output(0).locator(".cl-root")
    expect(root.get_by_role("option", selected=True)).to_contain_text("<img src=x onerror=")
    assert root.locator("img").count() == 0
    assert root.evaluate(INSIDE)
    assert lab_page.page.evaluate("window.broken") is None
