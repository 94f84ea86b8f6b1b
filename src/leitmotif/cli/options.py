"""Options that several commands have."""

from typing import Annotated

import typer

Replace = Annotated[
    bool, typer.Option("--replace", help="Write over an older result of this command.")
]
LARGEST_SEED = 10**15
"""As of the seeds in params.yaml."""
