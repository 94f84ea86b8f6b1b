"""Annotations that somebody has already made, as lines of a decision log."""
