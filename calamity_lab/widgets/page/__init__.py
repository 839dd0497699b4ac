"""Pages: a whole run in one file that scrubs without a kernel."""
