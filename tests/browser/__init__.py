"""What only a real JupyterLab in a real browser can show, and what drives the two."""
