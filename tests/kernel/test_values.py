"""A stack is a value: frozen, forked at will, the same again for the same seed and clock."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar, NamedTuple, Self
from uuid import UUID

import attrs
import msgspec
import pytest

from calamity_lab.errors import CalamityError, InvalidModel, InvalidValue, OutOfRange, UnknownArgument
from calamity_lab.examples.bank import Transfer as CarefulTransfer
from calamity_lab.examples.bank import random_commands
from calamity_lab.kernel.clocks_and_ids import RandomIds, draw, seeded_ids, ticking_clock
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.messages import command
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.run import begin, choices, dispatch
from calamity_lab.kernel.schema import field_names, fields_of
from calamity_lab.kernel.stack import Stack
from tests.kernel.elixir import REQUEST, BankAccount, DepositFunds, FundsDeposited, Transfer, two_accounts
from tests.kernel.running import events, finish, stack_of, steps_of


def test_dispatching_leaves_the_old_stack_as_it_was() -> None:
    stack = stack_of(Transfer, aggregates=two_accounts())
    before = repr(stack)
    dispatch(stack, REQUEST)
    assert repr(stack) == before
    assert len(stack.event_store) == 0


def test_an_old_value_forks_and_neither_branch_sees_the_other() -> None:
    old = dispatch(stack_of(), DepositFunds("1", 1))
    left, right = dispatch(old, DepositFunds("1", 2)), dispatch(old, DepositFunds("2", 3))
    left = dispatch(left, DepositFunds("1", 4))
    assert [event.amount for event in events(left)] == [1, 2, 4]
    assert [event.amount for event in events(right)] == [1, 3]
    assert [event.amount for event in events(old)] == [1]
    assert "BankAccount-2" not in left.aggregates


def test_a_fork_of_the_same_command_is_the_same_again() -> None:
    old = dispatch(stack_of(), DepositFunds("1", 1))
    assert dispatch(old, DepositFunds("1", 2)) == dispatch(old, DepositFunds("1", 2))


def test_the_same_seed_and_clock_give_the_same_run_to_the_byte() -> None:
    def told() -> bytes:
        stack = stack_of(CarefulTransfer)
        steps, run = finish(begin(stack, *random_commands(200, accounts=5)))
        return repr((steps, list(run.stack.event_store), run.stack)).encode()

    assert told() == told()


def test_another_seed_gives_other_ids() -> None:
    one, two = (dispatch(stack_of(ids=seeded_ids(seed)), DepositFunds("1", 1)) for seed in (1, 2))
    assert next(iter(one.event_store)).event_id != next(iter(two.event_store)).event_id


def test_random_ids_come_in_order_of_time_and_look_like_uuids() -> None:
    earlier, ids = draw(RandomIds(), 3)
    time.sleep(0.002)
    later, _ = draw(ids, 1_000)
    assert max(earlier) < min(later)
    assert len({*earlier, *later}) == 1_003
    assert all(str(UUID(id_)) == id_ for id_ in (*earlier, *later))


def test_events_given_bare_get_their_ids_and_times_from_the_stack() -> None:
    history = {"BankAccount-1": [FundsDeposited("1", 5)]}
    one, two = (stack_of(event_store=history) for _ in range(2))
    assert list(one.event_store) == list(two.event_store)
    after = dispatch(one, DepositFunds("1", 1))
    assert len({recorded.event_id for recorded in after.event_store}) == 2


@pytest.mark.parametrize(
    "id_", ["ß", "日本-語", "a b", "💸", "-", "", "x" * 1000, 0, 17, -1, True, 1.5, ("a", 1)]
)
def test_an_id_may_be_any_text_or_value(id_: Any) -> None:
    _, stack = steps_of(stack_of(), DepositFunds(id_, 5), DepositFunds(id_, 6))
    assert stack.aggregates[f"BankAccount-{id_}"].balance == 11
    assert stack.aggregates[Identity(BankAccount, id_)].account_id == id_


def test_two_types_may_share_an_id() -> None:
    stack = stack_of(Transfer, aggregates=two_accounts())
    run = begin(stack, dataclasses.replace(REQUEST, transfer_id="1"))
    steps, _ = finish(run)
    assert {"BankAccount-1", "Transfer-1"} <= {
        step.identity.stream_id for step in steps if hasattr(step, "identity")
    }


@attrs.frozen
class AttrsAdd:
    n: int

    def aggregate(self) -> tuple[type, str]:
        return Sum, "1"


class MsgspecAdd(msgspec.Struct, frozen=True):
    n: int

    def aggregate(self) -> tuple[type, str]:
        return Sum, "1"


@command(to="Sum", by="to")
class TupleAdd(NamedTuple):
    n: int
    to: str = "1"


@attrs.frozen
class AttrsAdded:
    n: int


class MsgspecAdded(msgspec.Struct, frozen=True):
    n: int


class TupleAdded(NamedTuple):
    n: int


class Sum(msgspec.Struct, frozen=True):
    total: int = 0

    @classmethod
    def new(cls, id_: str) -> Self:
        return cls()

    def execute(self, command: Any) -> Any:
        made: dict[type, Callable[[int], Any]] = {AttrsAdd: AttrsAdded, MsgspecAdd: MsgspecAdded}
        return made.get(type(command), TupleAdded)(command.n)

    def apply(self, event: Any) -> Self:
        return type(self)(self.total + event.n)


def test_messages_may_be_attrs_msgspec_or_named_tuples() -> None:
    _, stack = steps_of(stack_of(), AttrsAdd(1), MsgspecAdd(2), TupleAdd(3))
    assert events(stack) == [AttrsAdded(1), MsgspecAdded(2), TupleAdded(3)]
    assert stack.aggregates["Sum-1"] == Sum(6)
    assert [fields_of(event) for event in events(stack)] == [{"n": 1}, {"n": 2}, {"n": 3}]


@pytest.mark.parametrize("part", ["stack", "identity", "recorded", "pending", "run"])
def test_no_part_of_a_run_can_be_changed(part: str) -> None:
    run = begin(dispatch(stack_of(), DepositFunds("1", 1)), DepositFunds("1", 2))
    recorded = next(iter(run.stack.event_store))
    parts: dict[str, tuple[Any, str]] = {
        "stack": (run.stack, "clock"),
        "identity": (Identity(BankAccount, "1"), "id"),
        "recorded": (recorded, "position"),
        "pending": (run.agenda.pending[0], "depth"),
        "run": (run, "length"),
    }
    value, name = parts[part]
    with pytest.raises(AttributeError):
        setattr(value, name, 99)


def test_metadata_cannot_be_changed_and_is_a_dict_for_everybody_else() -> None:
    recorded = next(iter(dispatch(stack_of(), DepositFunds("1", 1)).event_store))
    assert isinstance(recorded.metadata, dict)
    with pytest.raises(TypeError, match="metadata is frozen"):
        recorded.metadata["user"] = "eve"
    assert dataclasses.asdict(recorded)["metadata"] == {"command": "DepositFunds"}
    assert copy.deepcopy(recorded) == recorded


def test_a_recorded_event_is_a_dataclass_with_defaults() -> None:
    now = ticking_clock().now
    one, two = (RecordedEvent("e", "str", "i", "s-1", 1, 1, "c", None, now) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert dataclasses.replace(one, position=2).position == 2


BAD: list[tuple[dict[str, Any], type[CalamityError], str]] = [
    ({"agregates": {}}, UnknownArgument, "did you mean 'aggregates'"),
    ({"aggregates": {"1": BankAccount("1")}}, InvalidValue, "'1' is not a stream id. .* 'BankAccount-1'"),
    (
        {"aggregates": {"Account-1": BankAccount("1")}},
        InvalidValue,
        "holds a BankAccount; .* 'BankAccount-1'",
    ),
    ({"aggregates": [BankAccount("1")]}, InvalidValue, "cannot be a store, because it has no dispatch"),
    (
        {"event_store": [FundsDeposited("1", 1)]},
        InvalidValue,
        "give a list of Recorded",
    ),
    ({"process_manager_types": Transfer}, InvalidModel, "give a list of classes"),
    ({"process_manager_types": [Transfer("t")]}, InvalidModel, "give a list of classes"),
    (
        {"process_manager_types": [BankAccount]},
        InvalidModel,
        r"BankAccount needs the methods interested\(event\) and handle\(event\) to be",
    ),
    (
        {"process_manager_types": [Transfer, CarefulTransfer]},
        InvalidModel,
        "Two process managers have the stored name",
    ),
    ({"clock": 5}, InvalidValue, r"Stack\(clock=5\): give a clock"),
    ({"ids": "abc"}, InvalidValue, r"Stack\(ids='abc'\): give a source of ids"),
    ({"cascade_limit": -1}, InvalidValue, "give a whole number from 0 on"),
    ({"conflict_limit": "3"}, InvalidValue, "give a whole number from 0 on"),
]


@pytest.mark.parametrize(("given", "error", "told"), BAD)
def test_a_stack_that_cannot_stand_is_refused_with_what_would_work(
    given: Any, error: type[CalamityError], told: str
) -> None:
    with pytest.raises(error, match=told):
        Stack(**given)


@pytest.mark.parametrize("told", ["2026-01-01", 5, None, datetime(2026, 1, 1)])  # noqa: DTZ001 - that is the point
def test_a_clock_that_tells_no_time_with_a_zone_is_named(told: Any) -> None:
    with pytest.raises(InvalidValue, match=r"The clock returned .* datetime with a time zone"):
        dispatch(stack_of(clock=lambda: told), DepositFunds("1", 1))


def test_a_clock_in_another_zone_is_read_in_utc() -> None:
    stack = dispatch(
        stack_of(clock=lambda: datetime.fromisoformat("2026-07-01T02:00+02:00")), DepositFunds("1", 1)
    )
    assert next(iter(stack.event_store)).recorded_at.isoformat() == "2026-07-01T00:00:00+00:00"


def test_ids_that_are_none_are_named() -> None:
    with pytest.raises(InvalidValue, match="The source of ids returned None"):
        dispatch(stack_of(ids=lambda: None), DepositFunds("1", 1))


def test_a_class_defined_again_is_told_from_the_one_whose_instance_is_held() -> None:
    again = dataclasses.make_dataclass("BankAccount", ["account_id"], frozen=True)
    again.new = classmethod(lambda cls, id_: cls(id_))  # type: ignore[attr-defined]

    class Do:
        def aggregate(self) -> tuple[type, str]:
            return again, "1"

    with pytest.raises(InvalidModel, match="another definition of BankAccount"):
        dispatch(stack_of(aggregates=two_accounts()), Do())


def test_metadata_that_is_no_dict_is_refused() -> None:
    with pytest.raises(InvalidValue, match="metadata='ada': give a dict"):
        begin(stack_of(), DepositFunds("1", 1), metadata="ada")  # type: ignore[arg-type]


@pytest.mark.parametrize("place", [2, -3, 99])
def test_a_place_beyond_the_agenda_is_told_with_the_places_there_are(place: int) -> None:
    run = begin(stack_of(), DepositFunds("1", 1), DepositFunds("1", 2))
    for call in (run.choose, run.drop):
        with pytest.raises(OutOfRange, match=rf"no pending command at index {place}\. Choose an index"):
            call(place)
    with pytest.raises(OutOfRange, match="The agenda is empty"):
        begin(stack_of()).choose(0)
    with pytest.raises(OutOfRange, match="No command with the id 'first' is pending"):
        run.choose("first")
    with pytest.raises(OutOfRange, match=r"DepositFunds\(.*\) is not pending"):
        run.drop(DepositFunds("1", 3))


def test_a_pending_command_is_named_by_its_index_its_id_its_entry_or_itself() -> None:
    first, second = DepositFunds("1", 1), DepositFunds("1", 2)
    run = begin(stack_of(), first, second)
    pending = run.agenda.pending[1]
    for which in (1, -1, pending.command_id, pending, second, DepositFunds("1", 2)):
        assert list(run.choose(which).agenda) == [second, first]
        assert list(run.drop(which).agenda) == [first]


def test_of_equal_commands_the_very_object_is_meant_else_the_index_is_asked_for() -> None:
    first, second = DepositFunds("1", 1), DepositFunds("1", 1)
    run = begin(stack_of(), first, second)
    assert run.drop(second).agenda.pending == run.agenda.pending[:1]
    with pytest.raises(InvalidValue, match="is pending more than once, at the indices 0, 1"):
        run.drop(DepositFunds("1", 1))


def test_every_pending_command_is_a_choice_that_names_itself_by_its_id() -> None:
    run = begin(stack_of(), DepositFunds("1", 1), DepositFunds("1", 2))
    first, second = choices(run)
    assert [choice.command for choice in (first, second)] == list(run.agenda)
    assert second.command_id == run.agenda.pending[1].command_id
    assert list(second.take(run).agenda) == [second.command, first.command]
    assert choices(begin(stack_of())) == ()


def test_an_old_vector_shared_by_two_branches_keeps_them_apart_at_every_length() -> None:
    """The tail that versions share is only ever written where nobody else has written."""
    for length in (*range(70), 1023, 1024, 1025):
        old = stack_of(aggregates=two_accounts())
        store = old.event_store.append("BankAccount-1", [FundsDeposited("1", n) for n in range(length)])
        left = store.append("BankAccount-1", [FundsDeposited("1", -1)])
        right = store.append("BankAccount-1", [FundsDeposited("1", -2)])
        assert [len(list(s)) for s in (store, left, right)] == [length, length + 1, length + 1]
        assert (list(left)[-1].event.amount, list(right)[-1].event.amount) == (-1, -2)


def test_a_class_variable_of_a_dataclass_is_no_field_of_it() -> None:
    @dataclasses.dataclass
    class Counted:
        counted: int
        unit: ClassVar[str] = "pieces"

    assert field_names(Counted) == ("counted",)
    assert fields_of(Counted(3)) == {"counted": 3}
