"""What a moment of a trace looks like, as plain values: for widgets, figures, tables and tests."""
