"""Stands in for a library that a Jupyter server needs for nothing here, and that takes seconds to import.

It makes 38 parsers for the formats of internet addresses in JSON schemas. Without it, jsonschema leaves these
formats unchecked.
"""

from __future__ import annotations

raise ImportError("left out, since it takes seconds")
