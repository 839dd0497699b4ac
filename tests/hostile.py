"""A model whose every text is hostile: ids, values, names, reasons and metadata that pose as others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from calamity_lab.errors import Rejected
from calamity_lab.kernel.clocks_and_ids import ticking_clock
from calamity_lab.kernel.messages import Continue, Start, command
from calamity_lab.lab import Lab

MARKUP = "<script>window.broken = 1; alert(1)</script><img src=x onerror='alert(2)'><b>bold</b>\"'&amp;"

TEXTS: Mapping[str, str] = {
    "markup": MARKUP,
    "the end of a script": "</script></style></svg></title><!-- --><script>alert(3)</script>"
    "]]><![CDATA[ <!--<script>",
    "an attribute": '" onload="alert(4)" x=\'y\' style=position:fixed `${alert(5)}` javascript:alert(6)',
    "mathematics": r"$\alpha$ $x^2$ _x^ a_b $\frac{ $ \$ $$",
    "formats": "%s %(x)s %% %n {} {0} {x!r} {{ #{x} ${x}",
    "control characters": "nul\x00 bell\x07 escape\x1b[31m back\x08 del\x7f nel\x85 tab\t\r\n\x0b\x0c",
    "directions": "\u202eabc\u2066 def \u200f שלום عليكم \u2069\u200d\ufeff",
    "long words": "W" * 10_000,
    "emoji": "😀👩‍👩‍👧‍👦🏳️‍🌈🇩🇪 e" + "\u0301" * 40,
    "lone surrogates": "high\ud83d low\ude00 end\udfff",
    "Mermaid's own": "end; participant X as Y\nNote over A: b %%{init: {}}%% #quot; #35; --x A rect end",
    "separators": "line\u2028paragraph\u2029 nbsp\u00a0 a-b-c / .. \\ | ` ~",
    "names of JavaScript": "__proto__",
    "nothing": " ",
}
"""By what each poses as."""


@command(to="Note", by="id")
@dataclass(frozen=True)
class Write:
    id: str
    text: str
    times: int = 1


@command(to="Note", by="id")
@dataclass(frozen=True)
class Answer:
    id: str
    text: str


@dataclass(frozen=True)
class Written:
    id: str
    text: str


@dataclass(frozen=True)
class Answered:
    id: str
    texts: Mapping[str, str]


@dataclass(frozen=True)
class Note:
    id: str
    text: str = ""
    texts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def new(cls, aggregate_id: str) -> Note:
        return cls(aggregate_id)

    def execute(self, given: Write | Answer) -> Written | Answered:
        if isinstance(given, Answer):
            return Answered(given.id, {text: text for text in TEXTS.values()} | {"constructor": given.text})
        if self.text:
            raise Rejected(given.text, found=given.text, wanted=[given.text])
        return Written(given.id, given.text)

    def apply(self, event: Written | Answered) -> Note:
        if isinstance(event, Answered):
            return Note(self.id, self.text, event.texts)
        return Note(self.id, event.text, self.texts)


@dataclass(frozen=True)
class Reading:
    id: str
    stage: str = ""

    @classmethod
    def interested(cls, event: object) -> Start | Continue | None:
        if isinstance(event, Written):
            return Start(event.id)
        return Continue(event.id) if isinstance(event, Answered) else None

    @classmethod
    def new(cls, instance_id: str) -> Reading:
        return cls(instance_id)

    def apply(self, event: Written | Answered) -> Reading:
        return Reading(self.id, event.text if isinstance(event, Written) else self.stage)

    def handle(self, event: Written | Answered) -> Answer | None:
        return Answer(self.id, event.text) if isinstance(event, Written) else None

    def handle_rejection(self, rejected: Rejected) -> None:
        return None


def _renamed(cls: type, name: str) -> type:
    """A class with a name of its own: that of a class may be any text too."""
    return type(name, (cls,), {"__module__": cls.__module__, "__qualname__": name})


HostileWrite = _renamed(Write, f"Write{MARKUP}")


def hostile_lab() -> Lab:
    """A lab with every one of these texts in its past, its future and on its agenda."""
    lab = Lab(
        aggregates=[Note], commands=[Write, Answer], events=[Written, Answered], process_managers=[Reading],
        clock=ticking_clock(),
    )  # fmt: skip
    for text in TEXTS.values():
        lab.send(Write(text, text), Write(text, f"{text} again"), metadata={"user": text, text: text})
    lab.resume()
    moment = lab.cursor
    lab.send(HostileWrite("last", MARKUP), *(Write("last", text) for text in TEXTS.values()))
    lab.step()
    lab.goto(moment // 2)
    return lab
