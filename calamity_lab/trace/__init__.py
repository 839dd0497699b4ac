"""Recorded runs: every moment, the inputs that led there, and what can be read off them."""
