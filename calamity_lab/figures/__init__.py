"""The views as matplotlib axes, and the causes as a networkx graph."""

from calamity_lab.figures.process_managers import plot_process_managers
from calamity_lab.figures.sequence import plot_sequence, to_networkx
from calamity_lab.figures.state import plot_field, plot_state
from calamity_lab.figures.tables import plot_agenda, plot_events
from calamity_lab.figures.timeline import plot_timeline

__all__ = [
    "plot_agenda",
    "plot_events",
    "plot_field",
    "plot_process_managers",
    "plot_sequence",
    "plot_state",
    "plot_timeline",
    "to_networkx",
]
