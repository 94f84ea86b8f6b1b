"""``python -m leitmotif`` is the command ``leitmotif``."""

from leitmotif.cli import main

main()
