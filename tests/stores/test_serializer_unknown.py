"""Events whose classes are not known: a history can be seen without its code."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest

from calamity_lab.examples import bank
from calamity_lab.frames import History
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.run import begin
from calamity_lab.kernel.schema import fields_of
from calamity_lab.kernel.stack import Stack
from calamity_lab.lab import Lab
from calamity_lab.stores.serializer import Serializer, UnknownEvent
from calamity_lab.text import format_value
from calamity_lab.views.chart import Charts
from calamity_lab.views.events import event_rows
from calamity_lab.views.lanes import window
from calamity_lab.views.state import state
from tests.examples.driving import finished

STORED = (
    "bank.FundsDeposited",
    3,
    '{ "amount": 1.10, "tags": ["a"],\n "to": {"_type": "Address"}, "id": null}',
)


def _history() -> list[RecordedEvent]:
    """What happened at the bank."""
    stack = Stack(process_manager_types=(bank.Transfer,), clock=ticking_clock(), ids=seeded_ids(7))
    return list(finished(begin(stack, *bank.story())).stack.event_store.stream(ALL))


def _without_code(history: list[RecordedEvent]) -> list[RecordedEvent]:
    known, unknown = Serializer(bank), Serializer()
    return [replace(entry, event=unknown.decode(*known.encode(entry.event))) for entry in history]


def test_an_event_of_an_unknown_type_shows_its_fields_as_what_it_was() -> None:
    event = Serializer().decode(*STORED)
    assert isinstance(event, UnknownEvent)
    assert (event.event_type, event.version, type(event).__name__) == (STORED[0], 3, STORED[0])
    assert (event.amount, event.tags, event.to, event.id) == (1.1, ["a"], {"_type": "Address"}, None)
    assert fields_of(event) == json.loads(STORED[2])
    assert repr(event) == format_value(event)
    assert repr(event).startswith("bank.FundsDeposited(amount=1.1, tags=['a'], to=")
    with pytest.raises(AttributeError, match="no attribute 'sum'"):
        event.sum  # noqa: B018


def test_an_event_of_an_unknown_type_is_written_again_as_it_was_stored() -> None:
    assert Serializer(bank).encode(Serializer().decode(*STORED)) == STORED
    as_bytes = (*STORED[:2], STORED[2].encode())
    assert Serializer().encode(Serializer().decode(*as_bytes)) == STORED


def test_unknown_events_are_equal_if_type_version_and_fields_are() -> None:
    def read(name: str = "Sent", version: int = 1, text: str = '{"a":[1],"b":2}') -> UnknownEvent:
        return Serializer().decode(name, version, text)

    assert read() == read(text='{"b": 2, "a": [1]}')
    assert hash(read()) == hash(read(text='{"b": 2, "a": [1]}'))
    assert type(read()) is type(read(text="{}"))
    for other in (read(name="Lost"), read(version=2), read(text='{"a":[1]}'), {"a": [1], "b": 2}):
        assert read() != other


def test_an_unknown_event_can_be_copied_but_not_changed() -> None:
    event = Serializer().decode(*STORED)
    twin = copy.deepcopy(event)
    assert twin == event
    assert twin.tags is not event.tags
    assert Serializer().encode(copy.copy(event)) == STORED
    with pytest.raises(AttributeError, match="of the past"):
        event.amount = 2
    with pytest.raises(AttributeError, match="of the past"):
        del event.amount


def test_a_field_of_an_unknown_event_comes_before_what_is_told_beside_it() -> None:
    stored = ("Released", 1, '{"version":"2.0","event_type":"release","decode it":1}')
    event = Serializer().decode(*stored)
    assert (event.version, event.event_type, getattr(event, "decode it")) == ("2.0", "release", 1)
    assert Serializer().encode(event) == stored
    assert repr(event).startswith("Released(version='2.0'")


def test_a_history_of_unknown_events_has_their_fields_as_columns() -> None:
    history = _history()
    frame, real = History(_without_code(history)).to_pandas(), History(history).to_pandas()
    assert list(frame.columns) == list(real.columns)
    for name in ("event_type", "account_id", "amount", "transfer_id"):
        assert frame[name].equals(real[name])


def test_a_lab_shows_a_history_of_unknown_events() -> None:
    history = _without_code(_history())
    lab = Lab(bank, stack=Stack(event_store=InMemoryEventStore.of(history)))
    rows = event_rows(lab.trace, 0).rows
    assert [row.type for row in rows] == [entry.event_type for entry in history]
    assert rows[0].fields == "account_id='alice', name='Alice'"
    assert format_value(lab.history[0].event) == "AccountCreated(account_id='alice', name='Alice')"
    lab.send(bank.CreateAccount("dora"))
    lab.resume()
    assert "FundsDeposited" in {mark.label for mark in window(Charts().of(lab.trace), lab.cursor).marks}
    assert state(lab.trace, lab.cursor).rows[0].stream_id == "BankAccount-dora"
    assert "AccountCreated" in lab.history._repr_html_()
