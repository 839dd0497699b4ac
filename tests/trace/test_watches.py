"""Watches and invariants: a value of each moment, and the moments at which something stops being true."""

from __future__ import annotations

from typing import Any

import pytest

from calamity_lab.errors import InvalidValue, UnknownKey
from calamity_lab.examples import bank
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.stack import Stack
from calamity_lab.lab import Lab


def a_lab() -> Lab:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(*bank.story())
    return lab


def total(stack: Stack) -> int:
    return sum(account.balance for account in stack.aggregates.values())


class Counting:
    """The sum of all balances; it counts how often it is asked."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, stack: Stack) -> int:
        self.times += 1
        return total(stack)


def test_a_watch_has_a_value_at_each_moment() -> None:
    lab = a_lab()
    watch = lab.watch("total", total)
    lab.watch("accounts", lambda stack: len(stack.aggregates))
    assert dict(lab.watches) == {"total": 0, "accounts": 0}
    lab.resume()
    assert lab.watches["total"] == total(lab.stack) == watch.value.value
    frame = lab.watches.to_pandas()
    assert list(frame.columns) == ["moment", "total", "accounts"]
    assert frame["total"].tolist() == [total(moment.stack) for moment in lab.trace]
    assert frame["moment"].tolist() == list(range(len(lab.trace)))
    assert list(lab.watches.rows())[-1] == {"moment": lab.cursor, "total": 9000, "accounts": 3}
    lab.goto(20)
    assert lab.watches["total"] == 10_000
    assert len(lab.watches.to_pandas()) == 21


def test_a_watch_costs_what_is_looked_at_and_only_once() -> None:
    lab = a_lab()
    counting = Counting()
    lab.watch("total", counting)
    lab.resume()
    assert counting.times == 0
    for _ in range(3):
        assert lab.watches["total"] == 9000
    assert counting.times == 1
    lab.watches.to_pandas()
    asked = counting.times
    assert asked <= len({id(moment.stack) for moment in lab.trace})
    lab.fork()
    lab.watches.to_pandas()
    assert counting.times == asked


def test_resume_stops_where_an_invariant_breaks_and_not_while_it_stays_broken() -> None:
    lab = a_lab()
    invariant = lab.invariant("one account", lambda stack: len(stack.aggregates) < 2)
    moment = lab.resume()
    assert moment.stopped == "Stopped at step 9: invariant 'one account' broke"
    assert repr(invariant) == "invariant 'one account': does not hold, since step 9"
    lab.resume()
    assert lab.stepper.at_end
    assert str(invariant.value) == "does not hold, since step 9"
    assert lab.watches["one account"] is False
    assert lab.reverse().index == 9
    lab.step_back()
    assert lab.watches["one account"] is True


def test_an_invariant_that_is_broken_from_the_beginning_stops_where_it_breaks_again() -> None:
    lab = a_lab()
    lab.invariant("accounts but not three", lambda stack: len(stack.aggregates) in (1, 2))
    assert str(lab.watches.entries[0].value) == "does not hold, since step 0"
    assert lab.resume().index == 14
    assert not lab.resume().stopped


def test_a_watch_that_raises_is_shown_as_broken_and_stops_nothing() -> None:
    lab = a_lab()

    def broken(stack: Stack) -> bool:
        return stack.aggregates["BankAccount-bob"].balance < 100

    lab.invariant("bob is poor", broken)
    lab.watch("total", total)
    assert lab.watches["bob is poor"].problem.startswith("UnknownKey: there is no")
    assert "bob is poor  broken: UnknownKey" in repr(lab.watches)
    assert lab.resume().stopped.endswith("invariant 'bob is poor' broke")
    assert lab.watches["total"] == 10_000
    assert lab.watches.to_pandas()["bob is poor"].tolist()[0] is None


def test_an_interrupt_switches_the_watch_off_that_never_ends() -> None:
    lab = a_lab()

    def endless(stack: Stack) -> bool:
        raise KeyboardInterrupt

    watch = lab.watch("endless", endless)
    with pytest.raises(KeyboardInterrupt):
        lab.watches["endless"]
    assert not watch.is_on
    assert repr(watch) == "watch 'endless': no value, switched off"


def test_watches_are_renamed_switched_off_and_removed() -> None:
    lab = a_lab()
    watch = lab.watch("total", total)
    lab.watch("other", len)
    watch.rename("sum")
    assert list(lab.watches) == ["sum", "other"]
    assert watch.name == "sum"
    for taken in (lambda: watch.rename("other"), lambda: lab.watch("other", total)):
        with pytest.raises(InvalidValue, match=r"taken by a watch.*lab\.watches\.remove\('other'\)"):
            taken()
    watch.is_on = False
    assert "sum  switched off" in repr(lab.watches)
    lab.watches.remove("sum")
    assert list(lab.watches) == ["other"]
    watch.remove()
    lab.watches.clear()
    assert repr(lab.watches) == "0 watches; lab.watch(name, fn) makes one"
    with pytest.raises(UnknownKey, match=r"there is no watch 'sum'; lab\.watch"):
        lab.watches["sum"]


def test_an_invariant_that_is_off_stops_nothing() -> None:
    lab = a_lab()
    lab.invariant("false later", lambda stack: total(stack) < 5000).is_on = False
    lab.resume()
    assert lab.stepper.at_end


def test_the_cell_of_a_watch_can_be_run_again() -> None:
    lab = a_lab()
    cell = "lab.watch('n', lambda stack: len(stack.aggregates) + k)"
    first = eval(cell, {"lab": lab, "k": 0})
    again = eval(cell, {"lab": lab, "k": 10})
    assert first is again
    assert lab.watches["n"] == 10
    with pytest.raises(InvalidValue, match="taken by a watch"):
        lab.invariant("n", lambda stack: True)


@pytest.mark.parametrize(("name", "fn"), [("", len), ("  ", len), (3, len), ("moment", len), ("n", 3)])
def test_bad_names_and_functions_are_refused(name: Any, fn: Any) -> None:
    lab = a_lab()
    for call in (lab.watch, lab.invariant):
        with pytest.raises(InvalidValue):
            call(name, fn)
    assert len(lab.watches) == 0


def test_watches_show_themselves_and_are_plotted() -> None:
    lab = a_lab()
    lab.watch("total", total)
    lab.invariant("even", lambda stack: total(stack) % 2 == 0)
    lab.resume()
    assert repr(lab.watches) == "2 watches\ntotal  9000\neven  True"
    assert "<table" in lab.watches._repr_html_()
    ax = lab.plot_watch("total")
    assert ax.get_title() == "total"
    assert ax.get_xlabel() == "step"
    assert "10000" in {text.get_text() for text in ax.get_yticklabels()}
    lab.plot_watch("even")
    with pytest.raises(UnknownKey):
        lab.plot_watch("nothing")
