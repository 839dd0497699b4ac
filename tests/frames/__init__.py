"""Histories and traces as tables."""
