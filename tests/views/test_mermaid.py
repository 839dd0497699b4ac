"""The Mermaid text says what the diagram says, and any text in it is shown as text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from calamity_lab.examples import bank, fulfilment
from calamity_lab.kernel.protocols import ALL
from calamity_lab.views.mermaid import MOST_CHARACTERS, escaped, to_mermaid
from calamity_lab.views.sequence import Message, Participant, SequenceView, sequence
from tests.moments import after
from tests.views.traces import story_of, trace_of


def test_a_transfer_that_is_rejected_halfway_is_this_text() -> None:
    trace = story_of(bank)
    assert to_mermaid(sequence(trace, after(trace, "Continued", -1))) == (
        "sequenceDiagram\n"
        "    actor U as User\n"
        "    participant A1 as BankAccount-bob\n"
        "    participant A2 as BankAccount-carol\n"
        "    participant S as Event store\n"
        "    participant M1 as Transfer-gift\n"
        "    U->>A1: RequestTransfer\n"
        "    A1->>S: TransferInitiated\n"
        "    S-->>M1: TransferInitiated (started)\n"
        "    M1->>A1: WithdrawFunds\n"
        "    A1->>S: FundsWithdrawn\n"
        "    S-->>M1: FundsWithdrawn\n"
        "    M1->>A2: DepositFunds\n"
        "    A2--xM1: DepositFunds rejected\n"
        "    Note over A2: account closed\n"
        "    M1->>M1: answers with RefundTransfer\n"
        "    rect rgba(128, 128, 128, 0.2)\n"
        "        M1->>A1: RefundTransfer\n"
        "        A1->>S: FundsRefunded\n"
        "        S-->>M1: FundsRefunded (stopped)\n"
        "    end"
    )


def test_a_run_in_which_nothing_happened_says_so() -> None:
    assert to_mermaid(sequence(trace_of(), 0)) == (
        "sequenceDiagram\n    participant U as User\n    Note over U: nothing has happened yet"
    )


def test_what_is_left_out_is_said() -> None:
    lines = to_mermaid(sequence(story_of(bank), 0, correlation=ALL, first=2, limit=3)).splitlines()
    assert "    Note over U: 2 earlier commands" in lines
    assert lines[-1] == "    Note over U: 10 more commands"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("end", "#101;nd"),
        ("THE END", "THE #69;ND"),
        ("ended, friends", "ended, friends"),
        ("a;b", "a#59;b"),
        ("#35; #quot;", "#35;35#59; #35;quot#59;"),
        ('say "hi"', "say #34;hi#34;"),
        ("<b>x</b><br/>", "#60;b#62;x#60;/b#62;#60;br/#62;"),
        ("&lt;", "#38;lt#59;"),
        ("%%{init: {}}%%", "#37;#37;#123;init#58; #123;#125;#125;#37;#37;"),
        ("wrap: long", "wrap#58; long"),
        ("$$x$$", "#36;#36;x#36;#36;"),
        ("```", "#96;#96;#96;"),
        ("a\r\n\tb\u2028c", "a b c"),
        ("\\n", "#92;n"),
        ("A->>B", "A-#62;#62;B"),
        ("😀👩\u200d👧 é", "😀👩\u200d👧 é"),
        ("שלום", "שלום"),
        ("\u202eevil\u202c\x00\ud800", "▯evil▯▯▯"),
        ("", "–"),
        (" \n ", "–"),
    ],
)
def test_what_mermaid_would_read_as_its_own_is_written_as_a_code(text: str, written: str) -> None:
    assert escaped(text) == written


def test_a_very_long_word_is_cut_before_it_is_escaped() -> None:
    assert escaped("x" * 500) == f"{'x' * 59}…"
    assert escaped("<" * 500) == f"{'#60;' * 59}…"


HOSTILE = 'end\n; participant <script>alert(1)</script> "x" #35; %% `note` '


def hostile_view(count: int) -> SequenceView:
    cast = (Participant("User", "user", "user"), Participant(HOSTILE, HOSTILE, "aggregate"))
    message = Message("1", "rejected", 1, 0, HOSTILE, HOSTILE, HOSTILE * 9, 1, "past")
    return SequenceView(HOSTILE, HOSTILE, 1, 0, 1, cast, (message,) * count)


def test_no_text_adds_a_line_or_a_statement() -> None:
    lines = to_mermaid(hostile_view(1)).splitlines()
    assert [re.sub(r"(as|:) .*", r"\1", line.strip()) for line in lines] == [
        "sequenceDiagram", "actor U as", "participant A1 as", "A1--xU:", "Note over A1:",
    ]  # fmt: skip
    for line in lines[2:]:
        text = re.sub(r"#\d+;|<br/>", "", line.partition(": ")[2] or line.partition(" as ")[2])
        assert not re.search(r"[;#<>%`\"]|\bend\b", text), text


def test_a_long_note_is_broken_into_lines_and_cut() -> None:
    note = to_mermaid(hostile_view(1)).splitlines()[-1]
    assert note.count("<br/>") == 2
    assert note.endswith("…")


def test_no_text_is_longer_than_mermaid_takes() -> None:
    text = to_mermaid(hostile_view(2_000))
    assert 0.9 * MOST_CHARACTERS < len(text) < 50_000
    assert re.search(r"Note over A1: [\d,]+ more messages$", text)
    grey = hostile_view(2_000)
    later = replace(grey, messages=tuple(replace(each, tense="future") for each in grey.messages))
    assert to_mermaid(later).endswith("more messages\n    end")
    assert len(to_mermaid(later)) < 50_000


@pytest.mark.parametrize("domain", [bank, fulfilment])
def test_every_block_that_is_opened_is_closed_at_every_moment(domain: object) -> None:
    trace = story_of(domain)  # type: ignore[arg-type]
    for cursor in range(0, len(trace), 3):
        lines = [line.strip() for line in to_mermaid(sequence(trace, cursor)).splitlines()]
        assert sum(line.startswith("rect") for line in lines) == lines.count("end") <= 1
