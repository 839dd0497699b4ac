"""The views as matplotlib axes, and the causes as a networkx graph."""

from calamity_lab.figures.causes import to_networkx
from calamity_lab.figures.process_managers import plot_process_managers
from calamity_lab.figures.sequence import plot_sequence
from calamity_lab.figures.timeline import plot_timeline

__all__ = ["plot_process_managers", "plot_sequence", "plot_timeline", "to_networkx"]
