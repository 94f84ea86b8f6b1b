"""Rows grouped by track: what every probe checks, and what it remembers."""
