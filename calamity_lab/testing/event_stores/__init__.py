"""The parts of the suite for event stores."""

from __future__ import annotations
