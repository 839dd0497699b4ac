"""Widgets without a browser: what goes in and out, and the still pictures."""
