"""The read models of the bank, over the story of its example."""

from calamity_lab import Lab
from calamity_lab.examples import bank
from calamity_lab.examples.bank.read_models import BankTotals, Turnover


def test_the_totals_of_the_bank_are_those_of_its_accounts_whenever_no_transfer_is_under_way() -> None:
    lab = Lab(bank, projections=[BankTotals, Turnover])
    lab.send(*bank.story())
    lab.resume()
    totals, accounts = lab.projections["BankTotals"], lab.aggregates.values()
    assert totals.in_transit == 0
    assert totals.held == sum(account.balance for account in accounts)
    assert totals.accounts == sum(account.status == "open" for account in accounts)
    for account in accounts:
        turnover = lab.projections.get(f"Turnover-{account.account_id}")
        assert (turnover.paid_in - turnover.paid_out if turnover else 0) == account.balance
