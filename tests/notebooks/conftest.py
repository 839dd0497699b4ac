"""The tutorials run once, side by side; every test looks at what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts import execute_notebooks as tutorials


@pytest.fixture(scope="session")
def ran() -> Mapping[Path, Any]:
    """Each tutorial as it is after its cells ran in a fresh kernel, with all that this put into it."""
    paths = tutorials.tutorials()
    return dict(zip(paths, tutorials.ran(paths), strict=True))
