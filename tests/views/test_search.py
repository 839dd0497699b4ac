"""A query finds streams, events, rejections and pending commands over the whole run, whatever its size."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import CreateAccount, DepositFunds, RenameAccount, WithdrawFunds
from calamity_lab.text import format_fields
from calamity_lab.trace.trace import Trace
from calamity_lab.views import events as events_module
from calamity_lab.views import search_index as searched
from calamity_lab.views.chart import Mark
from calamity_lab.views.events import event_rows
from calamity_lab.views.search import MOST_PENDING, Hit, SearchResults, found_steps, search_results, streams
from tests.moments import after, before
from tests.views.traces import stepper_of, story_of, trace_of


def keys(view: SearchResults, kind: str | None = None) -> list[str]:
    return [name(hit) for hit in view.hits if kind in (None, hit.kind)]


def name(hit: Hit) -> str:
    """The key of a hit; of a stream or a rejection, which have a number for one, what they are called."""
    match hit.kind:
        case "stream":
            return f"stream {hit.label}"
        case "rejection":
            return hit.label
        case _:
            return hit.key


def totals(view: SearchResults) -> dict[str, int]:
    return {group.kind: group.total for group in view.groups}


def test_a_query_finds_each_kind_of_thing_and_counts_all_of_them() -> None:
    trace = story_of(bank)
    view = search_results(trace, before(trace, "RequestTransfer", 3), query="gift")
    assert totals(view) == {"stream": 1, "event": 3, "rejection": 1, "pending": 1}
    assert (view.total, view.sentence) == (6, "6 matches for “gift”")
    assert keys(view)[:5] == [
        "stream Transfer-gift",
        "event 10",
        "event 11",
        "event 12",
        "DepositFunds rejected",
    ]


def test_a_hit_tells_what_it_is_where_and_when() -> None:
    trace = story_of(bank)
    view = search_results(trace, before(trace, "RequestTransfer", 3), query="GIFT")
    by_kind = {hit.kind: hit for hit in view.hits}
    rejected = trace[after(trace, "Refused", 2)].step
    assert rejected is not None
    assert by_kind["stream"] == Hit(
        key="stream 4",
        kind="stream",
        shape="process manager",
        label="Transfer-gift",
        detail="",
        moment=after(trace, "Started", 2),
        is_past=False,
        stream_id="Transfer-gift",
    )
    assert next(hit for hit in view.hits if hit.kind == "event") == Hit(
        key="event 10",
        kind="event",
        shape="event",
        label="TransferInitiated #10",
        detail="transfer_id='gift', from_account='bob', to_account='carol', amount=2500",
        moment=after(trace, "TransferInitiated", 2),
        is_past=False,
        stream_id="BankAccount-bob",
        position=10,
        mark=Mark("event", 10),
    )
    assert by_kind["rejection"] == Hit(
        key=f"rejection {rejected.index}",
        kind="rejection",
        shape="rejected",
        label="DepositFunds rejected",
        detail="account closed",
        moment=rejected.index,
        is_past=False,
        stream_id="BankAccount-carol",
        mark=Mark("step", rejected.index),
        command_id=rejected.pending.command_id,
    )
    pending = by_kind["pending"]
    assert (pending.label, pending.stream_id, pending.index) == ("RequestTransfer", "BankAccount-bob", 0)
    assert (pending.moment, pending.is_past) == (None, False)


@pytest.mark.parametrize(
    ("query", "there"),
    [
        ("insufficient", "RequestTransfer rejected"),
        ("RequestTransfer rejected", "RequestTransfer rejected"),
        ("FundsWithdrawn", "event 6"),
        ("renameaccount", "event 8"),
        ("to_account='bob'", "event 5"),
        ("bankaccount-carol", "stream BankAccount-carol"),
    ],
)
def test_things_are_found_by_what_they_are_called_and_say(query: str, there: str) -> None:
    trace = story_of(bank)
    assert there in keys(search_results(trace, trace.last, query=query))


def test_things_are_found_by_their_ids() -> None:
    trace = story_of(bank)
    event, step = trace.index.events[4], trace[after(trace, "Refused")].step
    assert step is not None
    assert "event 5" in keys(search_results(trace, trace.last, query=event.correlation_id))
    assert keys(search_results(trace, trace.last, query=step.pending.command_id)) == [
        "RequestTransfer rejected"
    ]


def test_an_empty_query_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searched, "places", lambda *_: pytest.fail("nothing was to be searched"))
    trace = story_of(bank)
    assert search_results(trace, before(trace, "RequestTransfer", 3), query="  ") == SearchResults(
        "", "", 0, (), (), None, None
    )


def test_what_is_not_there_is_found_nowhere() -> None:
    sentence = "No matches for “nowhere”"
    expected = SearchResults("nowhere ", sentence, 0, (), (), None, None)
    trace = story_of(bank)
    assert search_results(trace, before(trace, "RequestTransfer", 3), query="nowhere ") == expected


def test_the_next_and_the_last_hit_lead_through_all_of_them_by_moment() -> None:
    trace = story_of(bank)
    cursor, forwards = 0, []
    while (hit := search_results(trace, cursor, query="bob", limit=1).after) is not None:
        assert hit.moment is not None
        forwards.append(cursor := hit.moment)
    backwards = []
    while (hit := search_results(trace, cursor, query="bob", limit=1).before) is not None:
        assert hit.moment is not None
        backwards.append(cursor := hit.moment)
    every = search_results(trace, 0, query="bob", limit=100)
    assert forwards == sorted({hit.moment for hit in every.hits if hit.moment is not None})
    assert backwards == forwards[-2::-1]


def test_of_many_hits_those_around_the_cursor_are_said() -> None:
    trace = trace_of(*[DepositFunds("a", 7)] * 200)
    for cursor in range(0, len(trace), 50):
        view = search_results(trace, cursor, query="fundsdeposited", limit=6)
        positions = [hit.position for hit in view.hits if hit.position is not None]
        now = trace.index.events_at(cursor)
        assert totals(view) == {"event": 200}
        assert 3 <= len(positions) <= 6
        assert min(abs(position - now) for position in positions) <= 1


def test_a_stream_that_is_named_in_full_stands_first() -> None:
    trace = trace_of(*[CreateAccount(f"{n}") for n in range(1, 120)])
    for query in ("bankaccount-1", "1"):
        assert (
            keys(search_results(trace, trace.last, query=query, limit=4), "stream")[0]
            == "stream BankAccount-1"
        )


def test_a_search_follows_the_run_onto_other_branches_and_back() -> None:
    stepper = stepper_of(DepositFunds("a", 7), WithdrawFunds("a", 999))
    stepper.step_over()
    first = stepper.cursor
    assert totals(search_results(stepper.trace, first, query="amount")) == {"event": 1, "pending": 1}
    stepper.resume()
    assert totals(search_results(stepper.trace, first, query="amount")) == {
        "event": 1,
        "rejection": 1,
        "pending": 1,
    }
    stepper.goto(first)
    stepper.submit(RenameAccount("a", "amount"))
    stepper.choose(1)
    stepper.step_over()
    there = stepper.cursor
    assert totals(search_results(stepper.trace, there, query="amount")) == {"event": 2, "pending": 1}
    stepper.switch("main")
    results = search_results(stepper.trace, stepper.cursor, query="amount")
    assert totals(results) == {"event": 1, "rejection": 1}


def test_no_event_is_read_twice_for_further_letters_or_another_query(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = trace_of(*bank.random_commands(300, seed=11, accounts=20))
    read: list[Any] = []
    text = events_module.EventTexts.of

    def counted(texts: Any, recorded: Any) -> str:
        read.append(recorded)
        return text(texts, recorded)

    monkeypatch.setattr(events_module.EventTexts, "of", counted)
    for query in ("w", "wi", "with", "d", "withdrawn"):
        search_results(trace, trace.last, query=query)
        assert len(read) == len(trace.index.events)


def test_further_letters_look_only_at_what_the_first_found(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = trace_of(*bank.random_commands(300, seed=12, accounts=20))
    looked: list[str] = []

    class Text(str):
        """A text that tells when it is looked at."""

        def __contains__(self, wanted: str) -> bool:  # type: ignore[override]
            looked.append(wanted)
            return super().__contains__(wanted)

    text = events_module.EventTexts.of
    monkeypatch.setattr(events_module.EventTexts, "of", lambda texts, recorded: Text(text(texts, recorded)))
    first = totals(search_results(trace, trace.last, query="transferinit"))["event"]
    looked.clear()
    assert totals(search_results(trace, trace.last, query="transferiniti"))["event"] == first
    assert len(looked) == first < len(trace.index.events)


def searched_fields(event: Any) -> str:
    """The text in which the fields of an event are searched."""
    return events_module._fields(event, events_module._reader(type(event)))


def test_what_events_say_is_searched_as_it_is_shown() -> None:
    for domain in (bank, fulfilment):
        for recorded in story_of(domain).index.events:
            shown = format_fields(recorded.event, events_module.LENGTH)
            assert searched_fields(recorded.event) == shown
    unset = object.__new__(DepositFunds)
    assert searched_fields(unset) == format_fields(unset) == ""
    for value in (10**5_000, "\ud800", "é" * 500, None, True, -7, "'", ["x"], object):
        event = DepositFunds("a", value)  # type: ignore[arg-type]
        assert searched_fields(event) == format_fields(event, events_module.LENGTH)


def test_the_table_of_events_finds_the_same_events() -> None:
    trace = story_of(fulfilment)
    for query in ("order", "1002", "card", "kettle"):
        view = search_results(trace, trace.last, query=query, limit=1_000)
        positions = [hit.position for hit in view.hits if hit.kind == "event"]
        assert positions == [row.position for row in event_rows(trace, 0, query=query, limit=1_000).rows]


def test_of_a_long_agenda_the_first_commands_are_searched() -> None:
    stepper = stepper_of(*[DepositFunds("a", n) for n in range(1, 2 * MOST_PENDING)])
    view = search_results(stepper.trace, 0, query="depositfunds", limit=3)
    assert totals(view) == {"pending": MOST_PENDING}
    assert [hit.index for hit in view.hits] == [0, 1, 2]


def test_what_a_page_searches_by_itself_is_what_is_found() -> None:
    trace = story_of(bank)
    for query in ("alice", "rejected", "transfer", "account closed"):
        view = search_results(trace, trace.last, query=query, limit=1_000)
        for kind, every in (("stream", streams(trace)), ("rejection", found_steps(trace, "rejection"))):
            assert sorted(keys(view, kind)) == sorted(name(each.hit) for each in every if query in each.text)


def test_hostile_text_is_found_and_shown_as_it_is() -> None:
    nasty = "<script>alert('x')</script> \u202eabc 🚀" + "w" * 3_000
    trace: Trace = trace_of(CreateAccount(nasty, name=nasty), WithdrawFunds(nasty, 5))
    view = search_results(trace, trace.last, query="<SCRIPT>")
    assert totals(view) == {"stream": 1, "event": 1, "rejection": 1}
    said = json.dumps(asdict(view), ensure_ascii=False)
    assert "<script>" in said
    assert "&lt;" not in said
