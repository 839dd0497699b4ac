"""Every sample in docs/cluster.md runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "cluster.md"


def test_every_sample_runs(client: Any, tmp_path: Path, capsys: Any) -> None:
    samples = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, Any] = {"__name__": "__main__"}
    for sample in samples:
        for said, here in (
            ("tcp://scheduler.example:8786", client.scheduler.address),
            ("postgresql://lab@db.example/bank", f"sqlite:///{tmp_path / 'bank.db'}"),
        ):
            sample = sample.replace(said, here)
        exec(compile(sample, DOCUMENT.name, "exec"), names)
    assert len(samples) == 5
    assert re.fullmatch(r"\{'BankAccount-alice': 'inproc://.*'\}\n", capsys.readouterr().out)
