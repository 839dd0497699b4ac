"""The pictures, by what is drawn on their axes."""
