"""Runs every benchmark, or those named: `python -m tests.benchmarks dispatch to_pandas`.

A benchmark is a module `bench_NAME.py` in this folder with `run() -> list[str]`, its report line by line.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def main(wanted: list[str]) -> None:
    """Run the benchmarks that are wanted, or all there are."""
    known = sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))
    unknown = [name for name in wanted if name.removeprefix("bench_") not in known]
    if unknown:
        sys.exit(f"no benchmark is called {', '.join(unknown)}; there are: {', '.join(known)}")
    for name in [name.removeprefix("bench_") for name in wanted] or known:
        print(f"\n{name}", flush=True)
        for line in import_module(f"tests.benchmarks.bench_{name}").run():
            print(f"  {line}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
