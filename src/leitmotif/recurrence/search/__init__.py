"""The search for recurrences in one recording, and its null distribution."""
