"""A model that is asked about what has not happened is not heard, and everybody else is."""

from __future__ import annotations

import logging
import sys
import warnings
from threading import Event, Thread

import pytest

from calamity_lab.trace.muted_output import muted_output


class Asking:
    """Another thread, in which a model prints while it is asked."""

    def __init__(self) -> None:
        self.inside, self.go_on = Event(), Event()
        self.thread = Thread(target=self.ask)
        self.thread.start()
        assert self.inside.wait(5)

    def ask(self) -> None:
        with muted_output():
            self.inside.set()
            assert self.go_on.wait(5)
            print("asked")
            warnings.warn("asked", stacklevel=1)

    def end(self) -> None:
        self.go_on.set()
        self.thread.join(5)


def test_what_a_cell_prints_while_another_thread_asks_is_heard(capsys: pytest.CaptureFixture[str]) -> None:
    asking = Asking()
    print("a cell")
    asking.end()
    assert capsys.readouterr().out == "a cell\n"


def test_two_that_ask_at_a_time_leave_output_and_warnings_as_they_were(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output, filters = sys.stdout, list(warnings.filters)
    one = Asking()
    other = Asking()
    one.end()
    other.end()
    assert sys.stdout is output
    assert warnings.filters == filters
    print("afterwards")
    assert capsys.readouterr().out == "afterwards\n"


def test_an_answer_that_asks_for_more_stays_unheard(capsys: pytest.CaptureFixture[str]) -> None:
    with muted_output():
        with muted_output():
            print("within")
        print("after it")
    assert capsys.readouterr().out == ""


def test_what_the_kernel_logs_is_dropped_in_this_thread_only(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("calamity_lab")
    with muted_output():
        log.warning("muted")
        other = Thread(target=log.warning, args=["heard"])
        other.start()
        other.join()
    log.warning("after")
    assert caplog.messages == ["heard", "after"]
