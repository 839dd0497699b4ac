"""A message whole: fields, ids, time, cause and effects, for events, commands, rejections and reactions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from calamity_lab.errors import InvalidValue
from calamity_lab.examples import bank
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.messages import Start, command
from calamity_lab.kernel.schema import fields_of
from calamity_lab.lab import Lab
from calamity_lab.text import format_value
from calamity_lab.trace.selection import Selection
from calamity_lab.views.details import FIRST, MOST_LINKS, Details, details, time_text
from tests.moments import after
from tests.test_odd_values import ODD, odd_lab
from tests.widgets.front_end_stand_in import FrontEnd


@pytest.fixture
def lab() -> Lab:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(*bank.story(), metadata={"user": "ada"})
    lab.resume()
    return lab


def whole(lab: Lab, **selection: Any) -> Details:
    return details(lab.trace, Selection(**selection))


def values(found: Details, name: str) -> dict[str, str]:
    return {row.path: row.value for section in found.sections if section.name == name for row in section.rows}


def test_an_event_shows_all_its_fields_and_all_that_is_known_about_it(lab: Lab) -> None:
    withdrawn = next(event for event in lab.history if event.event_type == "FundsWithdrawn")
    found = whole(lab, position=withdrawn.position)
    assert found.title == f"FundsWithdrawn #{withdrawn.position}"
    assert values(found, "fields") == {
        name: format_value(value) for name, value in fields_of(withdrawn.event).items()
    }
    about = values(found, "about")
    assert about["event id"] == withdrawn.event_id
    assert about["command id"] == withdrawn.causation_id
    assert about["correlation id"] == withdrawn.correlation_id
    assert about["recorded at"] == time_text(withdrawn.recorded_at)
    assert about["stream"] == withdrawn.stream_id
    assert (about["version"], about["position"]) == (str(withdrawn.stream_version), str(withdrawn.position))
    assert values(found, "metadata")["user"] == "ada"


def test_an_event_leads_to_its_command_and_to_what_came_of_it(lab: Lab) -> None:
    requested = next(event for event in lab.history if event.event_type == "TransferInitiated")
    found = whole(lab, position=requested.position)
    assert [(link.kind, link.label) for link in found.causes] == [("command", "RequestTransfer")]
    assert [(link.kind, link.label, link.depth) for link in found.effects][:4] == [
        ("started", "Transfer-rent", 0),
        ("command", "WithdrawFunds", 1),
        ("event", f"FundsWithdrawn #{requested.position + 1}", 2),
        ("continued", "Transfer-rent", 3),
    ]
    for link in (*found.causes, *found.effects):
        assert link.mark is not None
        assert link.moment is not None


def test_every_link_leads_to_a_message_that_leads_back(lab: Lab) -> None:
    front = FrontEnd(lab.view)
    front.ask("select", mark="event 1", details=True)
    for number in range(1, len(lab.history) + 1):
        front.ask("select", mark=f"event {number}", go=True)
        shown = front.values["details"]
        for effect in [each for each in shown["effects"] if not each["depth"]]:
            front.ask("select", mark=effect["mark"], go=True)
            assert [each["mark"] for each in front.values["details"]["causes"]] == [f"event {number}"]
            assert lab.cursor == effect["moment"]


def test_a_rejection_shows_its_reason_and_its_details_and_its_command(lab: Lab) -> None:
    refused = lab.trace[after(lab, "Refused")].step
    assert refused is not None
    assert refused.rejected is not None
    found = whole(lab, moment=refused.index)
    assert found.kind == "rejected"
    assert values(found, "rejection")["reason"] == refused.rejected.reason
    assert set(values(found, "rejection")) == {"reason", *refused.rejected.details}
    assert values(found, "fields")["amount"] == str(refused.command.amount)
    assert values(found, "about")["command id"] == refused.pending.command_id
    assert "rejected" in values(found, "about")["outcome"]


def test_a_reaction_shows_its_event_its_state_and_what_it_sent(lab: Lab) -> None:
    step = lab.trace[after(lab, "Continued")].step
    assert step is not None
    found = whole(lab, moment=step.index)
    assert [section.name for section in found.sections][:2] == ["event", "state"]
    assert any(row.changed for section in found.sections for row in section.rows)
    assert found.causes[0].kind == "event"
    assert [link.label for link in found.effects if not link.depth] == [p.command_type for p in step.commands]


def test_a_pending_command_is_shown_whole_and_followed_once_it_is_dispatched() -> None:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(bank.DepositFunds("alice", 3), bank.DepositFunds("bob", 4))
    front = FrontEnd(lab.view)
    pending = lab.agenda.pending[1]
    front.ask("select", command_id=pending.command_id, details=True)
    shown = front.values["details"]
    assert (shown["kind"], shown["title"]) == ("command", "DepositFunds pending")
    about = next(section for section in shown["sections"] if section["name"] == "about")
    assert {row["name"]: row["value"] for row in about["rows"]}["command id"] == pending.command_id
    front.ask("resume")
    assert front.values["details"]["title"].startswith("DepositFunds dispatched at step")
    assert front.values["details"]["effects"]


def test_a_command_that_a_process_manager_sent_leads_to_the_reaction(lab: Lab) -> None:
    lab.goto(after(lab, "Started"))
    pending = next(pending for pending in lab.agenda.pending if pending.sender is not None)
    lab.send(bank.DepositFunds("carol", 1))  # another branch, on which it waits
    found = details(lab.trace, Selection(moment=lab.cursor, command=pending.command_id))
    assert [link.kind for link in found.causes] == ["started"]
    assert lab.select(pending).details.title == found.title
    started = whole(lab, moment=after(lab, "Started"))
    assert [(link.label, link.detail, link.command_id) for link in started.effects] == [
        (pending.command_type, "pending", pending.command_id)
    ]


def test_a_stream_and_a_range_list_their_events(lab: Lab) -> None:
    stream = whole(lab, stream_id="BankAccount-alice")
    assert {link.detail for link in stream.events} == {"BankAccount-alice"}
    some = whole(lab, position=2, until=5)
    assert [link.moment is not None for link in some.events] == [True] * 4
    assert not stream.sections


def test_nothing_is_worked_out_until_it_is_opened(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    front = FrontEnd(lab.view)
    monkeypatch.setattr("calamity_lab.views.details.selected", lambda *_: pytest.fail("it was worked out"))
    front.ask("select", mark="event 3")
    front.ask("step_back")
    assert front.values["details"] == {**front.values["details"], "shown": False, "sections": []}


def test_of_many_effects_the_first_are_shown_and_the_rest_are_counted(lab: Lab) -> None:
    @dataclass(frozen=True)
    class Many:
        n: int

    @command(to="Bulk", by="id")
    @dataclass(frozen=True)
    class MakeMany:
        id: str

    @dataclass(frozen=True)
    class Bulk:
        id: str

        @classmethod
        def new(cls, aggregate_id: str) -> Any:
            return cls(aggregate_id)

        def execute(self, command: Any) -> list[Any]:
            return [Many(n) for n in range(MOST_LINKS + 7)]

        def apply(self, event: Any) -> Any:
            return self

    bulk = Lab(aggregates=[Bulk], commands=[MakeMany])
    bulk.send(MakeMany("1"))
    bulk.resume()
    found = whole(bulk, moment=1)
    assert (len(found.effects), found.more_links) == (MOST_LINKS, 7)


@command(to="Note", by="id")
@dataclass(frozen=True)
class Write:
    id: str
    text: str = ""
    parts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Written:
    text: str
    parts: dict[str, Any]


@dataclass(frozen=True)
class Note:
    id: str

    @classmethod
    def new(cls, aggregate_id: str) -> Note:
        return cls(aggregate_id)

    def execute(self, write: Write) -> Written:
        return Written(write.text, write.parts)

    def apply(self, event: Written) -> Note:
        return replace(self)


def test_a_large_text_is_cut_and_shown_further_when_asked() -> None:
    lab = Lab(aggregates=[Note], commands=[Write])
    lab.send(Write("1", "w" * 1_000_000))
    lab.resume()
    (fields, *_) = whole(lab, position=1).sections
    assert (len(fields.rows[0].value), fields.cut) == (FIRST, ("text",))
    (fields, *_) = details(lab.trace, Selection(position=1), lengths=[("fields text", 20_000)]).sections
    assert (len(fields.rows[0].value), fields.cut) == (20_000, ("text",))
    (fields, *_) = details(lab.trace, Selection(position=1), lengths=[("fields text", 10**9)]).sections
    assert (len(fields.rows[0].value), fields.cut) == (1_000_000, ())


def test_small_values_are_unfolded_at_first_and_each_can_be_folded_and_unfolded() -> None:
    lab = Lab(aggregates=[Note], commands=[Write])
    lab.send(Write("1", "", {"small": {"a": [1]}, "large": list(range(50))}))
    lab.resume()
    assert set(values(whole(lab, position=1), "fields")) == {
        "text", "parts", "parts['small']", "parts['small']['a']", "parts['small']['a'][0]", "parts['large']",
    }  # fmt: skip
    toggled = ["fields parts['small']", "fields parts['large']"]
    (fields, *_) = details(lab.trace, Selection(position=1), toggled=toggled).sections
    paths = {row.path for row in fields.rows}
    assert "parts['large'][0]" in paths
    assert "parts['small']['a']" not in paths


@pytest.mark.parametrize("name", ODD)
def test_odd_values_are_shown_whole_or_by_what_they_raise(name: str) -> None:
    lab, _ = odd_lab(name)
    for moment in range(1, len(lab.trace)):
        found = whole(lab, moment=moment)
        assert found.title
        assert dict(found.rows())
    for event in lab.trace.index.events:
        assert whole(lab, position=event.position).sections[0].rows


def test_a_single_message_that_is_selected_shows_itself_whole_in_a_cell(lab: Lab) -> None:
    event = lab.history[3]
    for text in (lab.select(event.position)._repr_html_(), repr(lab.selected)):
        assert event.event_id in text
        assert time_text(event.recorded_at) in text
    assert list(lab.selected) == [event]
    refused = lab.trace[after(lab, "Refused")].step
    assert refused is not None
    assert refused.rejected is not None
    assert refused.rejected.reason in lab.select(refused)._repr_html_()
    assert len(lab.selected) == 0
    assert "<table" in lab.select(2, 5)._repr_html_()
    assert repr(lab.select(2, 5)) == "History(4 events, positions 2 to 5)"


def test_a_step_of_another_branch_cannot_be_selected(lab: Lab) -> None:
    last = lab.trace[lab.trace.last].step
    lab.goto(3)
    lab.send(bank.DepositFunds("carol", 1))
    with pytest.raises(InvalidValue, match="not on the current branch"):
        lab.select(last)  # type: ignore[arg-type]


def test_a_time_is_written_with_its_date_and_its_zone() -> None:
    assert time_text(datetime(2026, 3, 1, 9, 30, tzinfo=timezone.utc)) == "2026-03-01 09:30:00 UTC"  # noqa: UP017
    zone = timezone(timedelta(hours=2))
    assert time_text(datetime(2026, 3, 1, 9, 30, tzinfo=zone)) == "2026-03-01 09:30:00+02:00"


@dataclass(frozen=True)
class Letters:
    count: int = 0

    @classmethod
    def new(cls) -> Letters:
        return cls()

    def apply(self, event: object) -> Letters:
        return Letters(self.count + len(event.text)) if isinstance(event, Written) else self


def test_a_change_of_a_projection_leads_to_its_event_and_the_event_to_the_change() -> None:
    lab = Lab(aggregates=[Note], commands=[Write], projections=[Letters])
    lab.send(Write("1", "ten letters"))
    lab.resume()
    event = whole(lab, position=1)
    assert [(each.kind, each.label, each.detail) for each in event.effects] == [
        ("projection", "Letters", "changed")
    ]
    front = FrontEnd(lab.view)
    front.ask("select", mark=str(event.effects[0].mark), details=True)
    shown = front.values["details"]
    assert shown["kind"] == "projection"
    (count,) = shown["sections"][0]["rows"]
    assert (count["name"], count["before"], count["value"]) == ("count", "0", "11")
    assert [each["label"] for each in shown["causes"]] == ["Written #1"]


@dataclass(frozen=True)
class Reader:
    id: str
    read: tuple[str, ...] = ()

    @classmethod
    def interested(cls, event: object) -> Start | None:
        return Start("all") if isinstance(event, Written) else None

    @classmethod
    def new(cls, instance_id: str) -> Reader:
        return cls(instance_id)

    def apply(self, event: Written) -> Reader:
        return replace(self, read=(*self.read, event.text))

    def handle(self, event: Written) -> None:
        return None


def test_the_state_of_a_reaction_says_what_changed_in_it() -> None:
    lab = Lab(aggregates=[Note], commands=[Write], process_managers=[Reader])
    lab.send(*[Write("1", f"the text with the number {n}") for n in range(3)])
    lab.resume()
    (state,) = [
        each for each in whole(lab, moment=after(lab, "Continued", -1)).sections if each.name == "state"
    ]
    (read,) = [row for row in state.rows if row.changed]
    assert read.summary_of_changes == "+ 'the text with the number 2'"


def test_a_type_shows_its_fields_what_it_does_in_the_model_and_its_latest_messages(lab: Lab) -> None:
    found = whole(lab, type="command:WithdrawFunds")
    assert found.title == "WithdrawFunds"
    assert found.sentence.startswith("command, dispatched 3 times on this branch. Take money out")
    assert values(found, "fields") == {"account_id": "str", "amount": "int", "transfer_id": "str | None"}
    assert values(found, "in the model") == {
        "goes to": "BankAccount",
        "leads to": "FundsWithdrawn",
        "sent by": "Transfer",
    }
    dispatched = [
        m.index for m in lab.trace if m.step and m.step.begins and m.step.pending.command_type == found.title
    ]
    assert [link.moment for link in found.events] == dispatched[::-1]
    assert (found.heading, found.more_links) == ("Latest commands", 0)

    event = whole(lab, type="event:FundsDeposited")
    recorded = [each.position for each in lab.history if each.event_type == "FundsDeposited"]
    assert [link.label for link in event.events] == [f"FundsDeposited #{n}" for n in recorded[::-1]]
    assert values(event, "in the model") == {"recorded by": "BankAccount", "wakes": "Transfer (stop)"}

    manager = whole(lab, type="process manager:Transfer")
    assert [link.stream_id for link in manager.events] == ["Transfer-gift", "Transfer-rent"]
    assert values(manager, "in the model")["sends"] == "DepositFunds, WithdrawFunds"
    accounts = whole(lab, type="aggregate:BankAccount")
    assert [link.stream_id for link in accounts.events] == [
        "BankAccount-carol",
        "BankAccount-bob",
        "BankAccount-alice",
    ]


def test_a_rejected_command_says_so_among_the_latest_of_its_type(lab: Lab) -> None:
    found = whole(lab, type="command:RequestTransfer")
    rejected = [link for link in found.events if link.kind == "rejected"]
    assert rejected
    assert all(link.detail.startswith("rejected: ") for link in rejected)


def test_a_class_of_the_model_is_selected_from_python(lab: Lab) -> None:
    assert {event.event_type for event in lab.select(bank.FundsWithdrawn)} == {"FundsWithdrawn"}
    assert lab.stepper.selection == Selection(type="event:FundsWithdrawn")
    assert list(lab.select(bank.WithdrawFunds)) == []
    with pytest.raises(InvalidValue, match=r"select\(Details\): this class is not part of the lab's model"):
        lab.select(Details)
    assert lab.stepper.selection == Selection(type="command:WithdrawFunds")
