"""``python -m leitmotif`` is the command ``leitmotif``."""

from leitmotif.cli import main

if __name__ == "__main__":
    main()
