"""A class is mended in a notebook, `%lab` is run again, and the lab that is shown goes on."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.plain_page import PlainPage
from tests.browser.test_tutorials import ShownLab
from tests.lab.test_magics import MODEL, STRICT

LAB, SEND, SHOW = (
    "%load_ext calamity_lab\n%lab",
    "lab.send(Deposit('1', 50), Deposit('1', 5))",
    "lab.resume()\nlab",
)
NOTED = STRICT.replace(
    "    amount: int\n\n@dataclass(frozen=True)\nclass Account:",
    "    amount: int\n    note: str = ''\n\n@dataclass(frozen=True)\nclass Account:",
)


def test_a_mended_class_is_taken_by_the_lab_that_is_shown_and_run_all_sends_nothing_twice(
    plain_page: PlainPage,
) -> None:
    plain_page.open([MODEL, LAB, SEND, SHOW])
    plain_page.run_all()
    lab, status = ShownLab(plain_page.output(3)), plain_page.output(3).get_by_role("status").first
    expect(status).to_contain_text("Deposit accepted, 1 event, Account-1 now has balance 55")
    plain_page.run_cell(NOTED)
    said = plain_page.output(plain_page.run_cell("%lab"))
    expect(said).to_contain_text("the first difference is at step 7: Deposit is now rejected")
    expect(status).to_contain_text("the first difference is at step 7: Deposit is now rejected")
    expect(
        plain_page.output(3).get_by_label("note", exact=True)
    ).to_be_visible()  # the form has the new field
    lab.press("Rewind")
    lab.press_to_the_end("Step over")
    assert plain_page.python("(lab.trace.branch.name, len(lab.events))") == "('branch 1', 1)"

    plain_page.run_all()
    expect(plain_page.output(2)).to_contain_text(
        "This cell sent 2 commands before, and %lab has replayed them"
    )
    assert plain_page.python("(len(lab.submitted), len(lab.events), lab.cursor)") == "(2, 1, 8)"
