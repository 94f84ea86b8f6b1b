"""A status is asked for often, so the program loads no more for it than it needs."""

import subprocess
import sys

HEAVY = ["scipy", "torch", "transformers", "sklearn", "pandas", "dvc"]
PROGRAM = f"""
import sys
import leitmotif.cli.presets, leitmotif.cli.status, leitmotif.status.overview
print(*[name for name in {HEAVY} if name in sys.modules])
"""


def test_a_status_loads_nothing_that_takes_long() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
