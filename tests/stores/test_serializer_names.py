"""By which names classes are stored, and in which versions."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest

from calamity_lab import stores
from calamity_lab.errors import InvalidModel, InvalidValue, SerializationError
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import BankAccount, CreateAccount, FundsDeposited, Transfer
from calamity_lab.model import Model
from calamity_lab.stores.serializer import Serializer, UnknownEvent

PAID_IN = '{"account_id":"alice","amount":3,"transfer_id":null}'


@dataclass(frozen=True)
class Paid:
    amount: Decimal
    currency: str = "EUR"


def _cell(module: ModuleType, source: str) -> Any:
    exec(f"from dataclasses import dataclass\n{source}", vars(module))
    return module


@pytest.fixture
def cells() -> Iterator[ModuleType]:
    """A notebook's namespace."""
    module = ModuleType("cells_of_a_notebook")
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def test_the_face_of_the_stores_gives_what_it_names() -> None:
    assert stores.Serializer is Serializer
    assert stores.UnknownEvent is UnknownEvent
    assert (
        set(dir(stores)) == set(stores.__all__) >= {"SQLEventStore", "SQLSnapshotStore", "OverlayEventStore"}
    )
    for name in stores.__all__:
        assert getattr(stores, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = stores.Nothing


def test_a_class_goes_by_its_name_or_by_the_one_chosen_for_it() -> None:
    serializer = Serializer(bank, names={FundsDeposited: "bank.FundsDeposited"})
    assert serializer.name_of(FundsDeposited) == "bank.FundsDeposited"
    assert serializer.name_of(CreateAccount) == "CreateAccount"
    stored = serializer.encode(FundsDeposited("alice", 3))
    assert stored == ("bank.FundsDeposited", 1, PAID_IN)
    assert serializer.decode(*stored) == FundsDeposited("alice", 3)
    assert isinstance(serializer.decode("FundsDeposited", 1, PAID_IN), UnknownEvent)


@pytest.mark.parametrize(
    "types",
    [bank, vars(bank), Model.find(bank), [BankAccount], [FundsDeposited], FundsDeposited],
    ids=["module", "namespace", "model", "aggregate", "classes", "class"],
)
def test_types_may_be_given_as_a_model_a_module_a_namespace_or_classes(types: Any) -> None:
    assert Serializer(types).decode("FundsDeposited", 1, PAID_IN) == FundsDeposited("alice", 3)


def test_commands_and_process_managers_are_read_by_name_too() -> None:
    serializer = Serializer(bank)
    for message in (CreateAccount("a"), BankAccount("a", 3)):
        assert serializer.decode(*serializer.encode(message)) == message
    assert isinstance(serializer.decode("Transfer", 1, serializer.encode_state(Transfer.new("t"))), Transfer)


def test_a_class_that_is_written_is_learnt() -> None:
    serializer = Serializer()
    stored = serializer.encode(Paid(Decimal(1)))
    assert serializer.decode(*stored) == Paid(Decimal(1))
    assert isinstance(Serializer().decode(*stored), UnknownEvent)


def test_a_class_that_is_registered_is_read_as_itself_from_then_on() -> None:
    serializer = Serializer()
    stored = ("Paid", 1, '{"amount":"1"}')
    assert isinstance(serializer.decode(*stored), UnknownEvent)
    serializer.register(Paid)
    serializer.register(Paid)
    assert serializer.decode(*stored) == Paid(Decimal(1))


def test_a_name_that_two_classes_claim_is_refused_with_both(cells: ModuleType) -> None:
    other = _cell(cells, "@dataclass\nclass Paid:\n    sum: int").Paid
    serializer = Serializer([Paid])
    told = "have the stored name 'Paid': Paid of .*test_serializer_names and Paid of cells_of_a_notebook"
    for claim in (
        lambda: serializer.register(other),
        lambda: serializer.encode(other(1)),
        lambda: Serializer([Paid, other]),
        lambda: Serializer([FundsDeposited], names={Paid: "FundsDeposited"}),
    ):
        with pytest.raises(InvalidModel, match="two classes " + (told if claim.__code__.co_freevars else "")):
            claim()
    assert serializer.decode("Paid", 1, '{"amount":"1"}') == Paid(Decimal(1))
    both = Serializer([Paid, other], names={other: "till.Paid"})
    assert both.decode("till.Paid", 1, '{"sum":3}') == other(3)


def test_a_class_that_a_cell_defines_again_replaces_the_earlier_one(cells: ModuleType) -> None:
    first = _cell(cells, "@dataclass\nclass Sent:\n    to: str").Sent
    serializer = Serializer([first], names={first: "post.Sent"}, versions={first: 2})
    assert serializer.encode(first("ada")) == ("post.Sent", 2, '{"to":"ada"}')
    second = _cell(cells, "@dataclass\nclass Sent:\n    to: str\n    copies: int = 1").Sent
    assert serializer.encode(second("ada")) == ("post.Sent", 2, '{"to":"ada","copies":1}')
    assert serializer.decode("post.Sent", 2, '{"to":"ada"}') == second("ada")
    # What was made before the cell ran again can still be written.
    assert serializer.encode(first("ada")) == ("post.Sent", 2, '{"to":"ada"}')
    assert type(serializer.decode("post.Sent", 2, '{"to":"ada"}')) is second


def test_an_earlier_definition_that_is_seen_late_replaces_nothing(cells: ModuleType) -> None:
    first = _cell(cells, "@dataclass\nclass Sent:\n    to: str").Sent
    second = _cell(cells, "@dataclass\nclass Sent:\n    to: str").Sent
    serializer = Serializer([second])
    assert type(serializer.decode(*serializer.encode(first("ada")))) is second


def test_fields_are_upcast_from_version_to_version() -> None:
    serializer = Serializer(
        [Paid],
        upcasters={
            ("Paid", 1): lambda fields: {"amount": fields["pence"]},
            ("Paid", 2): lambda fields: {"amount": Decimal(fields["amount"]) / 100, "currency": "GBP"},
        },
    )
    assert serializer.decode("Paid", 1, '{"pence":150}') == Paid(Decimal("1.5"), "GBP")
    assert serializer.decode("Paid", 2, '{"amount":150}') == Paid(Decimal("1.5"), "GBP")
    assert serializer.decode("Paid", 3, '{"amount":"150"}') == Paid(Decimal(150))
    assert serializer.encode(Paid(Decimal(1)))[1] == 3


def test_a_version_without_an_upcaster_has_the_shape_of_the_next() -> None:
    serializer = Serializer([Paid], versions={Paid: 4}, upcasters={("Paid", 2): lambda fields: fields})
    for version in (1, 2, 3, 4):
        assert serializer.decode("Paid", version, '{"amount":"1"}') == Paid(Decimal(1))


def test_an_upcaster_may_rename_the_type() -> None:
    serializer = Serializer(
        [Paid],
        names={Paid: "till.Paid"},
        upcasters={
            ("Payed", 1): lambda fields: ("Paid", fields),
            ("Paid", 2): lambda fields: ("till.Paid", fields | {"currency": "GBP"}),
        },
    )
    assert serializer.decode("Payed", 1, '{"amount":"1"}') == Paid(Decimal(1), "GBP")
    assert serializer.encode(Paid(Decimal(1)))[:2] == ("till.Paid", 1)


def test_upcasters_that_lead_to_no_class_leave_the_event_as_it_was_stored() -> None:
    serializer = Serializer(upcasters={("Payed", 1): lambda fields: ("Paid", {**fields, "more": 1})})
    stored = ("Payed", 1, '{"amount": 1}')
    event = serializer.decode(*stored)
    assert (event.event_type, event.amount, hasattr(event, "more")) == ("Payed", 1, False)
    assert serializer.encode(event) == stored


def _broken(fields: dict[str, Any]) -> Any:
    raise KeyError("pence")


def _without_an_answer(fields: dict[str, Any]) -> Any:
    fields["amount"] = 1


@pytest.mark.parametrize(
    ("upcaster", "told"),
    [
        (_broken, r"upcaster _broken for Paid version 1 raised KeyError: 'pence'"),
        (_without_an_answer, r"upcaster _without_an_answer for Paid version 1 must return .*found None"),
        (lambda fields: {"amount": 3j}, r"Paid version 1 cannot be read.*3j"),
        (lambda fields: {}, r"Paid version 1 cannot be read as Paid of .*missing required field `amount`"),
    ],
)
def test_an_upcaster_that_breaks_is_named_in_the_error(upcaster: Any, told: str) -> None:
    serializer = Serializer([Paid], upcasters={("Paid", 1): upcaster})
    with pytest.raises(SerializationError, match=told):
        serializer.decode("Paid", 1, '{"pence":1}')


def test_a_version_from_the_future_is_an_error_that_tells_both_versions() -> None:
    serializer = Serializer([Paid], versions={Paid: 2})
    with pytest.raises(SerializationError, match=r"Paid version 3 is from the future: Paid .* at version 2"):
        serializer.decode("Paid", 3, '{"amount":"1"}')
    assert serializer.decode("Paid", 2, '{"amount":"1"}') == Paid(Decimal(1))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"names": {"Paid": "x"}}, "names= takes classes"),
        ({"names": {Paid: ""}}, "names= takes classes"),
        ({"versions": {Paid: "2"}}, "versions= takes classes"),
        ({"versions": {Paid: 0}}, "versions= takes classes"),
        ({"versions": {Paid: -1}}, "versions= takes classes"),
        ({"upcasters": {"Paid": len}}, "upcasters= takes functions"),
        ({"upcasters": {("Paid", 1): 3}}, "upcasters= takes functions"),
        ({"versions": {Paid: 2}, "upcasters": {("Paid", 2): dict}}, "an upcaster leads to 3"),
    ],
)
def test_options_that_make_no_sense_are_refused(given: Any, told: str) -> None:
    with pytest.raises(InvalidValue, match=told):
        Serializer([Paid], **given)


@pytest.mark.parametrize("types", ["Paid", [Paid(Decimal(1))], 3])
def test_what_is_no_class_is_refused(types: Any) -> None:
    with pytest.raises(InvalidModel, match=r"takes a model, a module or classes: types.*(Paid|3)"):
        Serializer(types)


@pytest.mark.parametrize("message", ["a text", 3, None, {"amount": 1}, [1], Paid, Decimal(1)])
def test_a_message_without_fields_is_refused(message: Any) -> None:
    with pytest.raises(SerializationError, match="records with named fields"):
        Serializer().encode(message)


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "{",
        "not JSON",
        "[]",
        "null",
        '"text"',
        '{"amount":"1"',
        b'{"amount":"\xff"}',
        '{"amount":"x"}',
        "{}",
    ],
)
def test_a_payload_that_does_not_fit_is_an_error_that_tells_what_was_found(payload: Any) -> None:
    with pytest.raises(SerializationError, match=r"Paid version 1 cannot be read as Paid of .*\. Found"):
        Serializer([Paid]).decode("Paid", 1, payload)


@pytest.mark.parametrize("payload", ["", "not JSON", "[]", b"\xff"])
def test_a_payload_that_is_no_object_is_an_error_for_unknown_types_too(payload: Any) -> None:
    with pytest.raises(SerializationError, match="Paid version 1 cannot be read"):
        Serializer().decode("Paid", 1, payload)


def test_a_long_payload_is_cut_in_the_error() -> None:
    with pytest.raises(SerializationError) as raised:
        Serializer([Paid]).decode("Paid", 1, f'{{"amount":"{"x" * 10_000_000}"}}')
    assert len(str(raised.value)) < 1000


def test_metadata_comes_back_as_it_was() -> None:
    serializer = Serializer(fulfilment)
    for metadata in (
        {},
        {"command": "DepositFunds", "process_manager": "Transfer-t1"},
        {"user": "Zoë", "cost": Decimal("1.5"), "tags": ("a", 1), "_type": "dict"},
        {"_type": "x"},
        {"speed": fulfilment.Speed.EXPRESS, "to": fulfilment.Address("a", "b", "c")},
    ):
        text = serializer.encode_metadata(metadata)
        for _ in range(2):
            found = serializer.decode_metadata(text)
            assert found == metadata
            with pytest.raises(TypeError, match="frozen"):
                found["more"] = 1
    with pytest.raises(SerializationError, match="metadata cannot be written as JSON: a: JSON cannot hold"):
        serializer.encode_metadata({"a": 3j})
    with pytest.raises(SerializationError, match="is not metadata"):
        serializer.decode_metadata("[1]")


def test_a_part_in_a_field_that_says_nothing_is_found_in_the_module_by_its_name() -> None:
    stored = Serializer().encode_metadata({"to": fulfilment.Address("a", "b", "c")})
    assert Serializer(fulfilment).decode_metadata(stored) == {"to": fulfilment.Address("a", "b", "c")}
    assert Serializer().decode_metadata(stored)["to"]["city"] == "b"


def test_a_state_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(SerializationError, match=r"is not a state of BankAccount: balance: .*its events"):
        Serializer().decode_state(BankAccount, '{"account_id":"a","balance":"x"}')
    with pytest.raises(SerializationError, match=r"BankAccount .* cannot be written"):
        Serializer().encode_state(BankAccount("a", status="unheard of"))  # type: ignore[arg-type]
