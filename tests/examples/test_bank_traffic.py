"""Random traffic at the bank."""

from collections import Counter

import pytest

from calamity_lab.examples.bank import (
    CloseAccount,
    CreateAccount,
    DepositFunds,
    RenameAccount,
    RequestTransfer,
    WithdrawFunds,
    random_commands,
)


def test_the_same_seed_gives_the_same_commands_and_another_seed_gives_others() -> None:
    assert random_commands(500, seed=7) == random_commands(500, seed=7)
    assert random_commands(500, seed=7) != random_commands(500, seed=8)


def test_a_longer_history_begins_as_the_shorter_one_does() -> None:
    assert random_commands(300, seed=7)[:120] == random_commands(120, seed=7)


@pytest.mark.parametrize("count", [0, 1, 1_000])
def test_there_are_as_many_commands_as_were_asked_for(count: int) -> None:
    assert len(random_commands(count)) == count


def test_a_thousand_commands_contain_every_kind_that_a_customer_sends() -> None:
    kinds = Counter(type(command) for command in random_commands(1_000))
    sent_by_customers = {
        CreateAccount,
        RenameAccount,
        DepositFunds,
        WithdrawFunds,
        RequestTransfer,
        CloseAccount,
    }
    assert set(kinds) == sent_by_customers
    assert kinds.most_common(1)[0][0] is RequestTransfer


def test_no_transfer_id_and_no_account_is_used_twice() -> None:
    commands = random_commands(2_000)
    transfers = [each.transfer_id for each in commands if isinstance(each, RequestTransfer)]
    opened = [each.account_id for each in commands if isinstance(each, CreateAccount)]
    assert len(set(transfers)) == len(transfers)
    assert len(set(opened)) == len(opened)


def test_nobody_sends_money_to_himself() -> None:
    transfers = [each for each in random_commands(2_000, accounts=2) if isinstance(each, RequestTransfer)]
    assert transfers
    assert all(each.from_account != each.to_account for each in transfers)


def test_a_count_below_nothing_is_rejected() -> None:
    with pytest.raises(ValueError, match="count of 0 or more; it got -1"):
        random_commands(-1)


def test_one_account_is_too_few_for_transfers() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        random_commands(10, accounts=1)
