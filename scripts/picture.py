"""Take the README's picture: the lab halfway through a transfer, in a real JupyterLab.

Run as ``python -m scripts.picture docs/images/lab.png`` in the environment of ``make test``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Literal

from tests.browser.browser import Browser
from tests.browser.jupyter import JupyterServer

Theme = Literal["light", "dark"]

CELLS = [
    "from calamity_lab import Lab, seeded_ids, ticking_clock\n"
    "from calamity_lab.examples import bank\n"
    "lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())\n"
    "lab.send(*bank.story())\n"
    "lab.resume(limit=62); None",
    "lab",
]


def take(path: Path, *, theme: Theme = "light", width: int = 1400) -> None:
    """Save the picture of the composite under ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, JupyterServer(Path(folder)) as server, Browser() as browser:
        page = browser.lab_page(server, width=width, height=1000)
        page.open(CELLS, theme=theme)
        page.run_all()
        widget = page.output(-1)
        widget.get_by_role("button", name="Step over", exact=True).wait_for()
        widget.get_by_role("tab", name="State", exact=True).wait_for()
        page.page.wait_for_timeout(800)
        page.screenshot(path, of=widget)
        page.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]), theme="dark" if "dark" in sys.argv[2:] else "light")
