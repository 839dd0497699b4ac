"""A lab on a real history: opened without writing to it, and committed to when asked."""
