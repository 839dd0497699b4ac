"""Why a value is what it is: the chain of causes up to what was put in, followed through copies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calamity_lab.errors import CalamityError, InvalidValue
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import BankAccount, DepositFunds, RequestTransfer, WithdrawFunds
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.faults import ClockJump, ConcurrentWriter, Crash, Fault, Lose, Redeliver
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.messages import Continue, Start, Stop, command
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Elapsed
from calamity_lab.lab import Lab
from calamity_lab.trace.index import BLOCK
from calamity_lab.trace.stepper import Stepper
from calamity_lab.trace.trace import Trace
from calamity_lab.views.paths import differ, state_at, state_fields
from calamity_lab.views.why import Origin, WhyLink, copied, spans, transitions, why
from calamity_lab.widgets.page.recording import recording
from tests.hostile import MARKUP
from tests.junk import JUNK, BrokenText
from tests.moments import after, before
from tests.probe.test_explore_deadlines import Do, Done, random_model
from tests.views.traces import stepper_of
from tests.widgets.front_end_stand_in import FrontEnd


def told(*commands: Any, module: Any = bank, **options: Any) -> Lab:
    lab = Lab(module, ids=seeded_ids(7), clock=ticking_clock(), checked=False, **options)
    lab.send(*(commands or module.story()))
    lab.resume()
    return lab


def chain(why: Any) -> list[tuple[str, str]]:
    return [(link.label, link.origin) for link in why]


def test_a_value_leads_back_over_a_transfer_to_the_submitted_command() -> None:
    lab = told()
    lab.goto(after(lab, "FundsDeposited", 2))
    why = lab.why("BankAccount-bob", "balance")
    assert [link.label for link in why] == [
        "BankAccount-bob", "FundsDeposited #7", "DepositFunds", "Transfer-rent", "FundsWithdrawn #6",
        "WithdrawFunds", "Transfer-rent", "TransferInitiated #5", "RequestTransfer",
    ]  # fmt: skip
    assert why.caption == f"balance of BankAccount-bob is 6000 at step {lab.cursor}"
    assert why[-1].sentence == "submitted"
    assert [link.moment for link in why[:3]] == [
        lab.cursor, after(lab, "FundsDeposited", 2), after(lab, "DepositFunds", 2),
    ]  # fmt: skip
    # Nothing plus 6,000 is a sum, which only looks like a copy.
    assert why[0].origin == "computed"


def test_a_value_is_followed_through_copies_of_events_commands_and_process_managers() -> None:
    lab = told()
    amount = chain(lab.why(7, "amount"))
    assert amount == [
        ("FundsDeposited #7", "copied from DepositFunds.amount"),
        ("DepositFunds", "copied from FundsWithdrawn.amount"),
        ("Transfer-rent", ""),
        ("FundsWithdrawn #6", "copied from WithdrawFunds.amount"),
        ("WithdrawFunds", "copied from TransferInitiated.amount"),
        ("Transfer-rent", ""),
        ("TransferInitiated #5", "copied from RequestTransfer.amount"),
        ("RequestTransfer", ""),
    ]
    # The event that made the transfer send the command does not know the account: the transfer does.
    account = chain(lab.why(7, "account_id"))
    assert account[1:] == [
        ("DepositFunds", "copied from Transfer-rent.to_account"),
        ("Transfer-rent", "copied from TransferInitiated.to_account"),
        ("TransferInitiated #5", "copied from RequestTransfer.to_account"),
        ("RequestTransfer", ""),
    ]


def test_a_value_that_no_event_changed_was_made_with_the_state() -> None:
    lab = told()
    assert chain(lab.why("BankAccount-carol", "balance"))[0][1] == "as BankAccount.new made it"
    assert chain(lab.why("BankAccount-carol", "account_id"))[0][1] == "copied from AccountCreated.account_id"
    assert chain(lab.why("BankAccount-carol", "name"))[0][1] == "copied from AccountRenamed.name"


def test_a_value_inside_a_value_is_asked_about_by_its_path() -> None:
    lab = told(module=fulfilment)
    why = lab.why("Order-1001", "lines[1].unit_price")
    assert chain(why) == [
        ("Order-1001", "copied from OrderPlaced.lines[1].unit_price"),
        ("OrderPlaced #3", "copied from PlaceOrder.lines[1].unit_price"),
        ("PlaceOrder", ""),
    ]
    assert why[0].value == lab.aggregates["Order-1001"].lines[1].unit_price


def test_a_process_manager_and_what_it_reacted_to_are_asked_about_too() -> None:
    lab = told()
    lab.goto(after(lab, "TransferInitiated") + 1)
    assert chain(lab.why("Transfer-rent", "amount"))[:2] == [
        ("Transfer-rent", "copied from TransferInitiated.amount"),
        ("TransferInitiated #5", "copied from RequestTransfer.amount"),
    ]
    assert lab.why("Transfer-rent")[0].sentence == "last changed by TransferInitiated"
    assert lab.why(lab.steps[-1])[0].label == "Transfer-rent"


@dataclass(frozen=True)
class Largest:
    """The largest deposit so far."""

    amount: int = 0

    @classmethod
    def new(cls) -> Largest:
        return cls()

    def apply(self, event: object) -> Largest:
        match event:
            case bank.FundsDeposited(amount=amount):
                return replace(self, amount=max(self.amount, amount))
        return self


def test_a_projection_leads_to_the_event_that_changed_it() -> None:
    lab = told(DepositFunds("a", 5), DepositFunds("a", 70), DepositFunds("a", 9), projections=[Largest])
    assert chain(lab.why("Largest", "amount")) == [
        ("Largest", "copied from FundsDeposited.amount"),
        ("FundsDeposited #2", "copied from DepositFunds.amount"),
        ("DepositFunds", ""),
    ]


def test_a_rejection_leads_to_its_command_and_its_details_to_the_state_that_they_tell() -> None:
    lab = told()
    rejection = lab.steps[after(lab, "Refused") - 1]
    assert chain(lab.why(rejection)) == [("RequestTransfer rejected", ""), ("RequestTransfer", "")]
    balance = lab.why(rejection, "balance")
    assert balance[0].origin == "copied from BankAccount-alice.balance"
    assert [link.label for link in balance[:4]] == [
        "RequestTransfer rejected", "RequestTransfer", "BankAccount-alice", "FundsWithdrawn #6",
    ]  # fmt: skip
    answered = told(module=fulfilment).why("Order-1002", "reason")
    assert ("CancelOrder", "copied from the rejection.reason") in chain(answered)


def test_a_pending_command_leads_to_what_sent_it() -> None:
    lab = told(DepositFunds("a", 50), RequestTransfer("t", "a", "b", 20))
    lab.goto(after(lab, "Started"))
    (pending,) = lab.agenda.pending
    why = lab.why(pending, "amount")
    assert (why[0].label, why[0].moment) == ("WithdrawFunds", None)
    assert why[-1].label == "RequestTransfer"


def test_what_was_there_before_the_run_began_says_so() -> None:
    start = Stack(aggregates={"BankAccount-a": BankAccount("a", balance=70, name="Ada")})
    lab = Lab(bank, stack=start)
    lab.send(DepositFunds("a", 5))
    lab.resume()
    (name,) = lab.why("BankAccount-a", "name")
    assert name.sentence == "had this value before the run began"
    (whole,) = lab.at(0).why("BankAccount-a")
    assert whole.sentence == "was there before the run began"


def test_events_that_are_older_than_the_run_are_found_and_end_the_chain() -> None:
    past = told(DepositFunds("a", 50), WithdrawFunds("a", 20), DepositFunds("a", 1))
    lab = Lab.attach(past.stack.event_store, bank)
    why = lab.why("BankAccount-a", "balance")
    assert [(link.label, link.moment) for link in why[1:]] == [("FundsDeposited #3", None)]
    assert why[-1].sentence == "recorded before the run began"
    assert [(each.before, each.after) for each in lab.when("BankAccount-a", "balance")][1:] == [
        (50, 30), (30, 31),
    ]  # fmt: skip


def test_a_chain_ends_at_an_injected_fault() -> None:
    lab = told(DepositFunds("a", 50))
    lab.inject(ConcurrentWriter("BankAccount-a", bank.FundsDeposited("a", 7)))
    lab.send(WithdrawFunds("a", 20))
    lab.resume()
    assert [link.label for link in lab.why(2)] == ["FundsDeposited #2", "ConcurrentWriter"]
    fault = lab.why(2)[-1]
    assert (fault.kind, fault.moment) == ("fault", after(lab, "Injected"))
    assert [each.after for each in lab.when("BankAccount-a", "balance")] == [50, 57, 37]


def test_what_an_event_led_to_that_was_handed_on_again_leads_to_the_fault() -> None:
    lab = told(DepositFunds("a", 50), RequestTransfer("t", "a", "b", 20))
    initiated = next(event for event in lab.events if event.event_type == "TransferInitiated")
    lab.inject(Redeliver(initiated))
    lab.resume()
    again = lab.steps[after(lab, "Started", -1) - 1]
    assert [link.label for link in lab.why(again)][:3] == ["Transfer-t", "Redeliver", "TransferInitiated #2"]
    assert lab.why(again)[-1].label == "RequestTransfer"


def answered(front_end: FrontEnd) -> Any:
    return front_end.values["details"]["answer"]


def test_a_widget_answers_with_links_that_stay_while_a_person_goes_along_them() -> None:
    lab = told()
    front_end = FrontEnd(lab.view)
    front_end.ask("select", stream_id="BankAccount-alice", details=True)
    assert [each["verb"] for each in front_end.values["details"]["actions"]] == ["why", "break_on", "note"]
    front_end.ask("why", stream_id="BankAccount-alice", field="name")
    answer = answered(front_end)
    assert answer["title"].startswith("Why: name of BankAccount-alice is Alice at step ")
    assert answer["sentence"] == "Since step 4, copied from AccountCreated.name"
    assert [each["mark"] for each in answer["links"]] == ["event 1", "step 1"]
    front_end.ask("select", mark="step 1", go=True)
    assert lab.cursor == 1
    assert answered(front_end) == answer
    front_end.ask("select", mark="event 2")
    assert answered(front_end) is None
    lab.goto(after(lab, "Started"))
    front_end.ask("why", stream_id="Transfer-rent")
    waits = answered(front_end)["sentence"]
    assert waits.startswith(
        "Transfer-rent: “initiated”, waits for FundsWithdrawn: WithdrawFunds is on its way. "
    )
    rejected = after(lab, "Refused")
    front_end.ask("select", mark=f"step {rejected}")
    front_end.ask("why")
    assert "insufficient funds" in answered(front_end)["sentence"].casefold()
    front_end.ask("select")
    front_end.ask("why")
    assert "Select an event" in front_end.values["controls"]["sentence"]


def test_of_several_equal_fields_the_one_of_the_same_name_counts_else_all_are_named() -> None:
    @dataclass
    class Moved:
        price: int
        other: int
        zero: int = 0

    moved = Moved(5, 5)
    assert copied(5, "price", [Origin("Moved", moved)]).words == "copied from Moved.price"
    assert copied(5, "amount", [Origin("Moved", moved)]).words == "copied from Moved.price or Moved.other"
    assert copied(5, "amount", [Origin("Moved", moved)]).source is None
    # Too many values are 0 by chance.
    assert copied(0, "amount", [Origin("Moved", moved)]).words == "computed"
    assert copied(0, "zero", [Origin("Moved", moved)]).words == "copied from Moved.zero"
    assert copied(True, "price", [Origin("Moved", Moved(1, 1))]).words == "computed"


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda lab: lab.why("BankAccount-alic"), "Did you mean BankAccount-alice"),
        (lambda lab: lab.why("alice"), "Did you mean BankAccount-alice?"),
        (lambda lab: lab.why("BankAccount-alice", "balanse"), "Did you mean 'balance'?"),
        (lambda lab: lab.why("BankAccount-alice", 3), "give a text, as in 'balance'"),
        (lambda lab: lab.why(7, "amont"), "FundsDeposited #7 has no field 'amont'. Did you mean 'amount'?"),
        (lambda lab: lab.why(99), "the positions go up to 13"),
        (lambda lab: lab.why(True), "give a stream id"),
        (lambda lab: lab.why(None), "give a stream id"),
        (lambda lab: lab.at(1).why("BankAccount-bob"), "it appears at step 9. Go there with goto(9)"),
        (lambda lab: lab.why(told(DepositFunds("x", 1)).steps[0]), "not on the current branch"),
        (lambda lab: lab.why(Lab(bank).send(DepositFunds("x", 1)).pending[0]), "not on the current branch"),
        (lambda lab: lab.when("BankAccount-alice", "nothing"), "has no field 'nothing'. Fields: account_id"),
        (lambda lab: lab.when("nobody", "balance"), "There is no stream 'nobody'"),
        (lambda lab: lab.find(3), "give a text, as in find('carol')"),
        (lambda lab: lab.find("  "), "the text is empty"),
        (lambda lab: lab.bisect(3), "give a function"),
        (lambda lab: lab.bisect(lambda m: 3), "returned 3 at moment"),
        (lambda lab: lab.bisect(lambda m: m.nothing), "raised AttributeError"),
        (lambda lab: lab.bisect(lambda m: m.stack.aggregates["BankAccount-x"]), "Read it with .get(...)"),
        (lambda lab: lab.why_not(3), "give a command class of the model"),
        (lambda lab: lab.why_not(bank.FundsDeposited), "did you mean DepositFunds?"),
        (lambda lab: lab.note(3), "give a text"),
        (lambda lab: lab.note(" "), "the text is empty"),
    ],
)
def test_a_question_that_cannot_be_answered_is_told_what_can_be_asked(ask: Any, message: str) -> None:
    lab = told()
    with pytest.raises(InvalidValue) as raised:
        ask(lab)
    assert message in str(raised.value)


def test_an_identity_names_its_stream() -> None:
    lab = told()
    assert chain(lab.why(Identity(BankAccount, "bob"), "name")) == chain(lab.why("BankAccount-bob", "name"))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_why_ends_at_what_was_put_in_its_moments_never_rise_and_what_was_copied_is_equal(seed: int) -> None:
    random = Random(seed)
    module, commands = random.choice(
        [(bank, bank.random_commands(25, seed=seed, accounts=3)), (fulfilment, fulfilment.story())]
    )
    lab = told(*commands, module=module)
    if module is bank:
        later = bank.random_commands(10, seed=seed, accounts=3)
        faults = [
            Crash(),
            Lose(DepositFunds),
            Redeliver(bank.FundsWithdrawn),
            Redeliver(bank.TransferInitiated),
        ]
        lab.inject(
            random.choice([*faults, ConcurrentWriter("BankAccount-A001", bank.FundsDeposited("A001", 7))])
        )
        lab.send(*later)
        lab.resume()
    lab.goto(random.randrange(1, len(lab.trace)))
    questions: list[tuple[Any, Any]] = [(step, None) for step in lab.steps if step.trigger or step.rejected]
    for event in lab.events:
        questions += [(event, None), *((event, field) for field in state_fields(event.event))]
    for states in (lab.aggregates, lab.process_managers):
        for name, state in states.items():
            questions += [(name, None), *((name, field) for field in state_fields(state))]
    for what, field in random.sample(questions, min(len(questions), 40)):
        why = lab.why(what, field)
        assert why[-1].kind == "fault" or (why[-1].kind, why[-1].sentence) == ("command", "submitted")
        moments = [link.moment or 0 for link in why]
        assert moments == sorted(moments, reverse=True)
        followed = [link for link in why if link.field]
        for link, further in pairwise(followed):
            if link.origin.startswith("copied from"):
                assert further.value == link.value


def test_every_change_of_a_field_has_its_moment_and_its_event() -> None:
    lab = told()
    changes = lab.at(5).when("BankAccount-alice", "balance")
    assert [each.event for each in changes] == ["AccountCreated", "FundsDeposited", "FundsWithdrawn"]
    assert [(each.before, each.after) for each in changes[1:]] == [(0, 10_000), (10_000, 4_000)]
    assert changes[2].moment == after(lab, "FundsWithdrawn")
    assert list(changes.to_pandas()["position"]) == [1, 4, 6]
    assert "3 changes of balance in BankAccount-alice" in repr(changes)


def test_a_text_is_found_at_every_moment_of_the_branch_at_which_it_appears() -> None:
    lab = told()
    lab.send(DepositFunds("carol", 1))
    found = lab.at(3).find("CAROL")
    kinds = {each.kind for each in found}
    assert kinds == {"stream", "event", "command", "rejection", "pending command"}
    assert [each.moment for each in found] == sorted(each.moment for each in found)
    assert found[-1].moment == lab.trace.last
    assert len(lab.find("nowhere")) == 0
    assert {each.label for each in lab.find("insufficient")} == {"RequestTransfer rejected"}


def test_the_first_moment_is_found_by_halving_and_checked_else_one_by_one() -> None:
    lab = told()
    withdrawn = after(lab, "FundsWithdrawn")
    found = lab.bisect(lambda m: m.index >= withdrawn)
    assert (found.moment, found.by) == (lab.trace[withdrawn], "halving")
    blip = lab.bisect(lambda m: m.index in (withdrawn, withdrawn + 1) or m.index > 50)
    assert (blip.moment, blip.by) == (lab.trace[withdrawn], "one by one")
    gone = lab.bisect(lambda m: m.index == withdrawn)
    assert (gone.moment, gone.by, gone.asked) == (lab.trace[withdrawn], "one by one", withdrawn + 2)
    assert lab.bisect(lambda m: False).moment is None
    assert "It holds at no moment" in repr(lab.bisect(lambda m: False))
    assert lab.bisect(lambda m: True).moment == lab.trace[0]


def test_halving_a_long_run_asks_few_moments_and_says_how_many() -> None:
    lab = told(*bank.random_commands(600, seed=1, accounts=5))
    asked = list[int]()

    def late(moment: Any) -> bool:
        asked.append(moment.index)
        return bool(moment.index >= 2_000)

    found = lab.bisect(late)
    assert found.moment is lab.trace[2_000]
    assert found.asked == len(asked) == len(set(asked)) < len(lab.trace) / 2
    assert repr(found).endswith(f"found by halving, asked at {found.asked:,} of {len(lab.trace):,} moments")


def test_why_not_tells_which_process_managers_could_send_a_command_and_what_stopped_them() -> None:
    lab = told(DepositFunds("a", 50), RequestTransfer("t", "a", "b", 70))
    refused = after(lab, "Refused")
    (sender,) = lab.why_not(WithdrawFunds)
    assert (sender.manager, sender.instance, sender.events) == ("Transfer", "", ("TransferInitiated",))
    assert sender.sentence.endswith(f"RequestTransfer was rejected at step {refused} (insufficient funds)")
    assert sender.moment == refused
    lab.send(RequestTransfer("u", "a", "b", 20))
    lab.goto(-1)
    lab.step()
    (waiting,) = lab.why_not(bank.RefundTransfer)
    assert waiting.instance == "Transfer-u"
    assert "waits for FundsWithdrawn" in waiting.sentence
    assert waiting.events == ("a rejection",)
    sent = lab.why_not(RequestTransfer)
    assert sent.sent == 2
    assert "was sent: 2 times" in sent.caption
    assert "no process manager sends it" in lab.why_not(bank.CloseAccount).caption


def test_a_note_keeps_branch_moment_and_selection_and_survives_what_branches_do() -> None:
    lab = told()
    lab.goto(before(lab, "FundsWithdrawn"))
    lab.select("BankAccount-alice")
    moment = lab.cursor
    lab.note("about to pay")
    lab.select()
    lab.goto(5)
    lab.fork("what if")
    lab.rename(BrokenText("main"), " as it was ")
    lab.note("forked here")
    assert [(note.branch, note.moment.index, note.text) for note in lab.notes] == [
        ("as it was", moment, "about to pay"),
        ("what if", 5, "forked here"),
    ]
    lab.goto(lab.notes[0])
    assert (lab.trace.branch.name, lab.cursor) == ("as it was", moment)
    assert {event.stream_id for event in lab.selected} == {"BankAccount-alice"}
    lab.remove("what if")
    lab.goto(lab.notes[1])  # this moment is on the other branch as well
    assert lab.cursor == 5
    assert "about to pay" in repr(lab.notes)
    assert lab.notes.to_pandas()["note"].tolist() == ["about to pay", "forked here"]


def test_a_note_is_in_the_widget_with_a_way_to_its_moment_and_on_the_page() -> None:
    lab = told()
    lab.goto(5)
    lab.note("from here on")
    lab.goto(9)
    lab.fork("what if")
    lab.note("forked")
    front_end = FrontEnd(lab.view)
    assert [
        (note["text"], note["moment"], note["is_here"]) for note in front_end.values["agenda"]["notes"]
    ] == [
        ("from here on", 5, False),
        ("forked", 9, True),
    ]
    front_end.ask("goto_note", number=0)
    assert (lab.trace.branch.name, lab.cursor) == ("main", 5)
    front_end.ask("goto_note", number=7)
    assert "There is no note 7" in front_end.values["controls"]["sentence"]
    assert "from here on" in str(recording(lab)["rows"])


@command(to="Box", by="id")
@dataclass(frozen=True)
class Fill:
    id: str
    item: Any


@dataclass(frozen=True)
class Filled:
    id: str
    item: Any


@dataclass(frozen=True)
class Box:
    id: str
    item: Any = None

    @classmethod
    def new(cls, box_id: str) -> Box:
        return cls(box_id)

    def execute(self, given: Fill) -> Filled:
        return Filled(given.id, given.item)

    def apply(self, event: Filled) -> Box:
        return Box(self.id, event.item)


@pytest.mark.parametrize("name", list(JUNK))
def test_odd_values_are_followed_or_computed_and_raise_nothing(name: str) -> None:
    lab = Lab(aggregates=[Box], commands=[Fill], events=[Filled], checked=False)
    lab.send(Fill("1", JUNK[name]()), Fill("1", JUNK[name]()))
    try:
        lab.resume()
    except CalamityError:
        return  # this value ends the command
    why = lab.why("Box-1", "item")
    assert why[-1].label == "Fill"
    assert repr(why)
    assert why._repr_html_()
    assert len(why.to_pandas()) == len(why)
    assert 1 <= len(lab.when("Box-1", "item")) <= 2


@dataclass(frozen=True)
class Inner:
    x: int = 0
    y: tuple[int, ...] = ()


@command(to="Thing", by="id")
@dataclass(frozen=True)
class Put:
    """Give fields of a thing other values, with an event for each."""

    id: str
    values: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class HasPut:
    id: str
    field: str
    value: Any


@dataclass(frozen=True)
class Thing:
    """What has a field for each way to change one."""

    id: str
    plain: int = 0
    text: str = ""
    inner: Inner = Inner()

    @classmethod
    def new(cls, thing_id: str) -> Self:
        return cls(thing_id)

    def execute(self, given: Put) -> list[HasPut]:
        return [HasPut(given.id, field, value) for field, value in given.values]

    def apply(self, event: HasPut) -> Thing:
        if event.field == "class":
            cls = Thing if isinstance(self, Closed) else Closed
            return cls(self.id, self.plain, self.text, self.inner)
        if event.field in ("x", "y"):
            return replace(self, inner=replace(self.inner, **{event.field: event.value}))
        return replace(self, **{event.field: event.value})


@dataclass(frozen=True)
class Closed(Thing):
    pass


@dataclass(frozen=True)
class Follower:
    """A process manager instance that keeps what is put in its thing, and ends now and then."""

    id: str
    plain: int = 0
    text: str = ""

    @classmethod
    def new(cls, thing_id: str) -> Self:
        return cls(thing_id)

    @classmethod
    def interested(cls, event: HasPut) -> Any:
        if event.value == "stop":
            return Stop(event.id)
        return Start(event.id) if event.field == "plain" and event.value == 0 else Continue(event.id)

    def handle(self, event: HasPut) -> None:
        return None

    def apply(self, event: HasPut) -> Self:
        return replace(self, **{event.field: event.value}) if event.field in ("plain", "text") else self


@dataclass(frozen=True)
class Total:
    """A projection of all things: how many puts there were, and the last text."""

    puts: int = 0
    text: str = ""

    @classmethod
    def new(cls) -> Self:
        return cls()

    def apply(self, event: HasPut) -> Self:
        return replace(self, puts=self.puts + 1, text=event.value if event.field == "text" else self.text)


def _put(random: Random, *, rare: bool) -> Put:
    """A command that mostly changes ``plain``; what is rare leaves whole blocks of changes alone."""
    every = {
        "text": lambda: random.choice(("a", "b", "stop")),
        "x": lambda: random.randrange(3),
        "y": lambda: (random.randrange(2),),
        "class": lambda: None,
    }
    fields = [random.choice(list(every)) if rare else "plain" for _ in range(random.randrange(1, 4))]
    values = tuple((each, every[each]() if each in every else random.randrange(3)) for each in fields)
    return Put(random.choice(("1", "1", "1", "2")), values)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what was touched for every three changes, so that short runs have many blocks."""
    for module in ("calamity_lab.trace.index", "calamity_lab.views.why"):
        monkeypatch.setattr(f"{module}.BLOCK", 3)


@pytest.mark.usefixtures("small_blocks")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6))
def test_the_index_of_touched_fields_says_what_a_walk_over_all_states_says(seed: int) -> None:
    random = Random(seed)
    lab = Lab(
        aggregates=[Thing], process_managers=[Follower], projections=[Total], commands=[Put], events=[HasPut],
        checked=False,
    )  # fmt: skip
    for count in (9, 9, random.randrange(12)):
        lab.send(*(_put(random, rare=random.random() < 0.15) for _ in range(count)))
        # Another writer gives a field another value, and often the first one back.
        back = random.choice(("", "", "a"))
        lab.inject(ConcurrentWriter("Thing-1", HasPut("1", "text", "other"), HasPut("1", "text", back)))
        lab.resume()
    lab.goto(random.randrange(len(lab.trace)))
    lab.send(*(_put(random, rare=random.random() < 0.15) for _ in range(9)))
    lab.resume()
    left_out = 0
    for branch in lab.branches:
        trace = lab.trace.switch(branch)
        for lane in trace.index.lanes:
            for path in ("plain", "text", "inner", "inner.x", "inner.y[0]", "puts", "nothing"):
                moment = random.randrange(len(trace))
                walk, quick = (
                    [each[:4] for each in transitions(trace, lane, moment, {}, by)] for by in ("", path)
                )
                assert _changes(quick, path) == _changes(walk, path)
                left_out += len(walk) - len(quick)
    assert left_out


def _changes(found: list[Any], path: str) -> list[Any]:
    """The transitions at which the value at a path changed."""
    return [each for each in found if differ(state_at(each[1], path), state_at(each[2], path))]


def test_a_value_of_long_ago_is_found_by_reading_few_states() -> None:
    lab = told(bank.CreateAccount("a", "Ada"), *(DepositFunds("a", n) for n in range(1, 400)))
    lane = lab.trace.index.lanes[0]
    read = [each.moment for each in transitions(lab.trace, lane, lab.cursor, {}, "name")]
    assert read == [after(lab, "AccountCreated")]
    sizes = [len(span) for span in spans(lab.trace, lane.identity.stream_id, 400, "name")]
    assert len(sizes) < 2 * BLOCK + 2
    assert sum(sizes) == 400


def test_texts_from_events_are_data_in_every_answer() -> None:
    lab = told(bank.CreateAccount("a", MARKUP), DepositFunds("a", 5))
    lab.note(MARKUP)
    for answer in (
        lab.why("BankAccount-a", "name"),
        lab.when("BankAccount-a", "name"),
        lab.find("a"),
        lab.notes,
    ):
        assert "<script" not in answer._repr_html_()
        assert "&lt;script" in answer._repr_html_()


# The law of why: each link is the cause of the one before, and a chain ends at what was put in.


ACTS = st.one_of(
    st.sampled_from(["step", "step in", "wait", "wait", "run on"]),
    st.builds(Do, st.sampled_from("ab"), st.integers(0, 2)),
    st.sampled_from(
        [
            Crash(),
            Lose(Do),
            Redeliver(Done),
            ConcurrentWriter("Counted-a", Done("a", 1)),
            ClockJump(timedelta(hours=1)),
        ]
    ),
    st.integers(0, 99),
)


def acted(stepper: Stepper, acts: list[Any]) -> Stepper:
    """The stepper after what a person did: steps, waits, commands and faults, also in the past."""
    for act in acts:
        run = stepper.moment.run
        if isinstance(act, Do):
            stepper.submit(act)
        elif isinstance(act, int):
            stepper.goto(act * stepper.trace.last // 99)
        elif isinstance(act, Fault):
            stepper.inject(act)
        elif act == "wait" and run.progress is None and len(run.stack.deadlines):
            stepper.wait()
        elif act == "step in" and not stepper.at_end:
            stepper.step_in()
        for _ in range({"step": 1, "run on": 8}.get(act, 0)):
            if not stepper.at_end:
                stepper.step_over()
    return stepper


def is_cause(trace: Trace, link: WhyLink, cause: WhyLink) -> bool:
    """Whether the trace has a link of a chain as the cause of the one before."""
    effect, message = link.message, cause.message
    if link.kind == "command" and effect.deadline is not None:
        waited = trace[cause.moment or 0].step
        is_met = isinstance(waited, Elapsed) and effect in waited.commands
        return cause.kind == "deadline" and effect is message and (is_met or cause.moment is None)
    match link.kind, cause.kind:
        case "event", "command":
            return bool(effect.causation_id == message.command_id)
        case "event", "fault":
            return effect in message.recorded
        case "command" | "deadline", "reaction":
            return effect.command_id in [each.command_id for each in (*message.commands, *message.deadlines)]
        case "command" | "deadline", "event":
            return bool(effect.cause == message)
        case "reaction", "event" | "rejection":
            return bool(effect.trigger == (message if cause.kind == "event" else message.rejected))
        case "reaction", "fault":
            return bool(effect.pending.command == message.fault)
        case "fault", "event":
            return bool(message == effect.fault.event)
        case "rejection", "command":
            return bool(effect.pending == message)
    return False


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.lists(ACTS, max_size=12), st.lists(ACTS, min_size=12, max_size=40))
def test_each_link_of_why_is_the_cause_of_the_one_before_up_to_what_was_put_in(
    seed: int, before: list[Any], acts: list[Any]
) -> None:
    managers = random_model(seed).stack.process_manager_types
    earlier = acted(stepper_of(Do("a", 1), managers=managers, cascade_limit=10_000), before)
    begun = earlier.moment.stack if earlier.moment.run.progress is None else earlier.trace[0].stack
    stepper = acted(Stepper(begun, checked=False), [Do("a", 1), Do("b", 2), "run on", "wait", *acts])
    trace, cursor = stepper.trace, stepper.cursor
    steps = [each.step for each in trace.branch.moments.iterate(1, cursor + 1)]
    asked: list[Any] = [
        each for each in steps if each and (each.trigger or each.rejected or each.is_injected)
    ]
    asked += [*trace.index.events.take(trace.index.events_at(cursor)), *trace[cursor].agenda.entries()]
    asked += [each.pending for each in trace.index.deadlines.take(trace.index.deadlines_at(cursor))]
    for what in asked:
        links = why(trace, cursor, what).links
        for link, cause in pairwise(links):
            assert is_cause(trace, link, cause), (link, cause)
        moments = [link.moment for link in links if link.moment is not None]
        assert moments == sorted(moments, reverse=True)
        is_before = "before the run began" in links[-1].sentence
        end = (links[-1].kind, "" if is_before else links[-1].sentence)
        assert end[0] == "fault" or end in [("command", "submitted"), ("deadline", ""), ("event", "")]
        assert len(begun.event_store) or not is_before
