"""The command line ``leitmotif``. The pipeline itself is run by ``dvc repro``."""

from leitmotif.cli.program import app, main

__all__ = ["app", "main"]
