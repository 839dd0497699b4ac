"""The search is computed only with a query, is said in the foot, and a step sends only what changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from calamity_lab.examples import bank
from calamity_lab.lab import Lab
from calamity_lab.widgets import contents
from calamity_lab.widgets.view_widget import ViewWidget
from tests.widgets.front_end_stand_in import FrontEnd


@pytest.fixture
def front_end() -> FrontEnd:
    lab = Lab(bank)
    lab.send(*bank.story())
    lab.resume()
    return FrontEnd(ViewWidget(lab))


def test_what_is_found_comes_with_the_answer_and_is_said_in_the_foot(front_end: FrontEnd) -> None:
    front_end.ask("set_options", view="search", query="gift")
    view = front_end.values["search"]
    assert [hit["label"] for hit in view["hits"]][:2] == ["Transfer-gift", "TransferInitiated #10"]
    assert front_end.values["controls"]["sentence"] == view["sentence"] == "5 matches for “gift”"
    front_end.ask("set_options", view="search", query="")
    assert front_end.values["search"]["hits"] == []
    assert front_end.values["controls"]["sentence"].startswith("Step 68: ")


def test_a_step_sends_of_what_is_found_what_changed(front_end: FrontEnd) -> None:
    front_end.ask("set_options", view="search", query="a")
    front_end.ask("restart")
    sizes, sentences = [], []
    for _ in range(60):
        patch = front_end.ask("step_in")
        sizes.append(len(json.dumps(patch.get("search", {}))))
        sentences.append(front_end.values["controls"]["sentence"])
    assert max(sizes) < 8_000
    assert sizes.count(2) > 15, "where nothing changed, nothing is sent"
    assert all(sentence.startswith("Step ") for sentence in sentences), (
        "the foot says the step, and no search"
    )


def test_without_a_query_nothing_is_searched(front_end: FrontEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    assert front_end.values["search"]["query"] == ""
    asked: list[str] = []
    found = contents.search_results

    def counted(*given: Any, query: str, **options: Any) -> Any:
        asked.append(query)
        return found(*given, query=query, **options)

    monkeypatch.setattr(contents, "search_results", counted)
    patches = [front_end.ask(verb) for verb in ("step_back", "restart", "step_over")]
    assert not any("search" in patch for patch in patches)
    assert set(asked) <= {""}


def test_a_hit_leads_to_its_moment_and_is_selected_for_every_view(front_end: FrontEnd) -> None:
    front_end.ask("set_options", view="search", query="rejected")
    (first, second) = front_end.values["search"]["hits"]
    for hit in (first, second):
        front_end.ask("select", mark=hit["mark"], go=True)
        assert front_end.values["controls"]["cursor"] == hit["moment"]
        assert front_end.values["selected"]["command"] == hit["command_id"]
    assert front_end.values["search"]["after"] is None
    assert front_end.values["search"]["before"]["key"] == first["key"]
