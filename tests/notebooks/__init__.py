"""The tutorials, as they lie there and as they run."""
