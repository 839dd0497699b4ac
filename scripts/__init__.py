"""What sets up a machine for this project and keeps its files fresh; `make` calls these."""
