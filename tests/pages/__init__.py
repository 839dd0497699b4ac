"""Pages as plain values: what a file carries is what the views say, at every moment."""
