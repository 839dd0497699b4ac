"""Every kind of class is a message and a state like any other, wherever the lab reads one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pydantic
import pytest

from calamity_lab import Lab, Stack, command, dispatch
from calamity_lab.errors import InvalidModel
from calamity_lab.kernel.schema import arguments_of, fields_in, kind_of
from calamity_lab.model import Model
from calamity_lab.probe.field_types import sample
from calamity_lab.probe.near_misses import near_misses
from calamity_lab.stores import Serializer, SQLEventStore, rebuild
from calamity_lab.views.form import forms, written
from calamity_lab.views.parsing import parse
from tests.kinds_of_class import HEADINGS, WAYS, model_of, module_of, plain

TYPED = {"basket_id": "b1", "item": {"sku": "mug", "price": "9.50", "colour": "BLUE"}, "count": "2"}


@pytest.fixture(params=[(kind, text) for kind in HEADINGS for text in (False, True)], ids=str)
def basket(request: pytest.FixtureRequest) -> Iterator[Any]:
    kind, annotations_as_text = request.param
    with model_of(kind, annotations_as_text=annotations_as_text) as module:
        yield module


def stepped(basket: Any) -> Lab:
    lab = Lab(basket)
    lab.send(parse(basket.AddItem, TYPED))
    lab.step()
    return lab


def test_its_fields_and_what_it_is_made_with_are_read(basket: Any) -> None:
    assert kind_of(basket.AddItem) is not None
    found = {
        field.name: (field.annotation, field.default, field.required) for field in fields_in(basket.AddItem)
    }
    assert list(found) == [field.argument for field in arguments_of(basket.AddItem)]
    assert found["item"][0] is basket.Item
    assert found["basket_id"][2]
    assert found["count"] == (int, 1, False)


def test_the_model_is_found(basket: Any) -> None:
    model = Model.find(basket)
    assert (model.aggregates, model.commands) == ((basket.Basket,), (basket.AddItem,))
    assert (model.events, model.unplaced) == ((basket.ItemAdded,), ())


def test_the_bases_that_a_module_imports_are_no_part_of_the_model(basket: Any) -> None:
    namespace = {**vars(basket), "BaseModel": pydantic.BaseModel, "Struct": msgspec.Struct}
    assert Model.find(namespace) == Model.find(basket)


def test_the_form_shows_its_fields_and_those_of_a_record_in_it(basket: Any) -> None:
    (form,) = forms(Model.find(basket))
    assert form.target == "Basket"
    basket_id, item, count = form.fields
    assert (basket_id.name, basket_id.kind, basket_id.required) == ("basket_id", "text", True)
    assert (item.kind, [field.kind for field in item.fields]) == ("group", ["text", "decimal", "choice"])
    assert (count.kind, count.default, count.required) == ("integer", 1, False)


def test_what_was_typed_becomes_an_object_and_is_written_back(basket: Any) -> None:
    made = parse(basket.AddItem, TYPED)
    assert isinstance(made, basket.AddItem)
    assert isinstance(made.item, basket.Item)
    assert (made.item.price, made.item.colour, made.count) == (Decimal("9.50"), basket.Colour.BLUE, 2)
    assert plain(parse(basket.AddItem, written(made))) == plain(made)


def test_a_sample_is_made_up(basket: Any) -> None:
    made = sample(basket.AddItem)
    assert isinstance(made, basket.AddItem)
    assert isinstance(made.item, basket.Item)


def test_a_lab_steps_it(basket: Any) -> None:
    lab = stepped(basket)
    assert [type(recorded.event) for recorded in lab.events] == [basket.ItemAdded]
    assert plain(lab.aggregates["Basket-b1"]) == plain(
        basket.Basket(basket_id="b1", items=(parse(basket.AddItem, TYPED).item,))
    )


def test_a_command_names_its_aggregate_by_a_decorator(basket: Any) -> None:
    decorated = command(to=basket.Basket, by="basket_id")(basket.AddItem)
    assert parse(decorated, TYPED).aggregate() == (basket.Basket, "b1")
    with pytest.raises(InvalidModel, match=r"has no field 'basket' \(its fields: basket_id, item, count\)"):
        command(to=basket.Basket, by="basket")(basket.AddItem)


def test_a_history_leaves_as_a_table_and_as_text(basket: Any) -> None:
    lab = stepped(basket)
    assert lab.history.to_pandas()["count"].tolist() == [2]
    line = json.loads(lab.history.to_json_lines() or "")
    assert line["event"] == {"item": {"sku": "mug", "price": "9.50", "colour": "BLUE"}, "count": 2}
    assert lab.aggregates.to_pandas()["basket_id"].tolist() == ["b1"]


def test_a_store_keeps_events_and_states(basket: Any) -> None:
    lab = stepped(basket)
    serializer = Serializer(basket)
    (recorded,) = lab.events
    assert plain(serializer.decode(*serializer.encode(recorded.event))) == plain(recorded.event)
    state = lab.aggregates["Basket-b1"]
    assert plain(serializer.decode_state(basket.Basket, serializer.encode_state(state))) == plain(state)
    assert '"price":"9.50"' in serializer.encode_state(state)


@pytest.fixture(params=WAYS)
def bank(request: pytest.FixtureRequest) -> Iterator[Any]:
    with module_of(
        f"bank_by_{request.param.replace(' ', '_').replace(',', '')}", WAYS[request.param]
    ) as module:
        yield module


def story_of(bank: Any) -> list[Any]:
    """An account is opened, which earns a bonus of 1, and gets 5."""
    if hasattr(bank, "Cmd"):
        return [bank.Open("1", "x"), bank.Pay("1", 5)]
    return [bank.Open("1"), bank.Pay("1", 5)]


def names(classes: Any) -> set[str]:
    return {cls.__name__ for cls in classes}


def balance_of(account: Any) -> int:
    found: int = account.state.balance if hasattr(account, "state") else account.balance
    return found


def test_a_model_is_found_in_whatever_way_it_is_written(bank: Any) -> None:
    model = Model.find(bank)
    is_generic = hasattr(bank, "Order")
    assert names(model.aggregates) == {"Account"}
    assert names(model.process_managers) in ({"Bonus"}, {"bonus"})
    assert names(model.commands) == ({"Order"} if is_generic else {"Open", "Pay"})
    assert names(model.events) == ({"Event"} if is_generic else {"Opened", "Paid"})
    assert not model.unplaced
    assert not near_misses(model)


def test_it_is_stepped_shown_and_kept_in_whatever_way_it_is_written(bank: Any) -> None:
    model, lab = Model.find(bank), Lab(bank)
    lab.send(*story_of(bank))
    lab.resume()
    account = lab.aggregates["Account-1"]
    assert balance_of(account) == 6
    assert len(lab.history.to_pandas()) == 3
    assert {form.command for form in forms(model)} == names(model.commands)
    with SQLEventStore("sqlite://", bank) as store:
        stack = Stack(event_store=store, process_manager_types=model.process_managers)
        for each in story_of(bank):
            stack = dispatch(stack, each)
        found = rebuild(Stack(event_store=store), model.aggregates).aggregates["Account-1"]
        assert balance_of(found) == 6


@pytest.mark.parametrize("stored_name", ["", "OtherPaid"])
def test_two_events_of_one_name_are_named_with_what_would_work(stored_name: str) -> None:
    other = "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Paid:\n    id: str\n"
    other += f"    stored_name = {stored_name!r}\n" if stored_name else ""
    with module_of("other_bank", other), module_of("a_bank", WAYS["dispatch table"]) as bank:
        more = "import other_bank\n_ON[other_bank.Paid] = _DO[other_bank.Paid] = lambda self, e: self\n"
        exec(more, vars(bank))
        if stored_name:
            assert {cls.__module__ for cls in Model.find(bank).events} == {"a_bank", "other_bank"}
        else:
            with pytest.raises(InvalidModel, match=r"stored name 'Paid': .* give it another stored_name"):
                Model.find(bank)
