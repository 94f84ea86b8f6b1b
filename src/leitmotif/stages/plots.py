"""Writing the lines under plots/, which DVC draws."""

from collections.abc import Mapping

import pandas as pd

from leitmotif.files import write_text
from leitmotif.pipeline import PLOTS


def write_plots(frames: Mapping[str, pd.DataFrame]) -> None:
    """Write each table as plots/NAME.csv."""
    for name, frame in frames.items():
        write_text(PLOTS / f"{name}.csv", frame.to_csv(index=False))
