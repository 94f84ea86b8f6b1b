#!/usr/bin/env python3
"""Let numba compile in one process what librosa leaves to a first call; `make env` runs this.

numba keeps what it compiled beside librosa and numbers it by what is there already. Two processes
that compile different types of one function at the same moment can take one number, and each later
process then crashes. So the functions that the pipeline calls are compiled before processes work
side by side.
"""

import numpy as np

from leitmotif.audio.features import SAMPLE_RATE, extract_features
from leitmotif.recurrence.search.settings import SearchSettings
from leitmotif.recurrence.search.views import make_views


def main() -> None:
    """Call them on four seconds of noise."""
    noise = np.random.default_rng(0).normal(0, 0.1, 4 * SAMPLE_RATE).astype(np.float32)
    extract_features(noise)
    make_views(noise, SAMPLE_RATE, rate=SearchSettings().rate)


if __name__ == "__main__":
    main()
