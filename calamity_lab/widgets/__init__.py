"""The views as widgets in a notebook; all widgets of a lab share one cursor."""
