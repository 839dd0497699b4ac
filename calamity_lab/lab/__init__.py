"""The lab: what a notebook works with, made of everything below it."""

from calamity_lab.lab.lab import Lab

__all__ = ["Lab"]
