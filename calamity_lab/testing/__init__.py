"""What tests of event-sourced systems need: a throwaway PostgreSQL, and suites for whoever writes a store."""

from __future__ import annotations
