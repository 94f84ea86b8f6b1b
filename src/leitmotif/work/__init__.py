"""Long work: done side by side, with a line that says how far it is."""

WORKERS = "LEITMOTIF_WORKERS"
"""Environment variable: how many processes, in place of one a processor. Inside of one it is 1."""
