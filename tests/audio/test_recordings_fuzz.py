"""A few hundred damaged recordings: each gives samples or a named error, and nothing hangs."""

import random
from collections.abc import Callable
from pathlib import Path

import made_recordings as made
import numpy as np
import pytest

from leitmotif.audio.decode import read_recording
from leitmotif.errors import AudioError

SEED = 20_261_125
EACH = 60
MOST = 30 * made.RATE
"""Samples; no damage makes more of the two seconds that there are."""
CONTENTS = {
    name: made.encoded(made.tone(), name)
    for name in ("WAV", "RF64", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF", "W64")
}


def damaged(content: bytes, chance: random.Random) -> bytes:
    """One or several of: bytes flipped, cut, spliced, repeated, the header changed."""
    for _ in range(chance.randint(1, 3)):
        changed, at = bytearray(content), chance.randrange(len(content))
        match chance.randrange(6):
            case 0:
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                del changed[at:]
            case 2:
                del changed[at : at + chance.randint(1, 500)]
            case 3:
                changed[at:at] = chance.randbytes(chance.randint(1, 500))
            case 4:
                other = CONTENTS[chance.choice(sorted(CONTENTS))]
                changed[at:] = other[chance.randrange(len(other)) :]
            case _:
                at = chance.randrange(min(64, len(content)))
                changed[at : at + 4] = chance.choice([bytes(4), b"\xff" * 4, chance.randbytes(4)])
        content = bytes(changed) or b"\0"
    return content


@pytest.mark.parametrize("container", sorted(CONTENTS))
@pytest.mark.fault(
    "recording",
    "bytes flipped, cut, spliced, or a header changed",
    outcome="samples, or an error that names file and reason",
)
def test_damage_gives_samples_or_a_named_error(
    container: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    chance = random.Random(f"{SEED} {container}")
    path = tmp_path / "damaged.bin"
    reasons = []
    for _ in range(EACH):
        path.write_bytes(damaged(CONTENTS[container], chance))
        try:
            recording = read_recording(path)
        except AudioError as error:
            reasons.append(error.reason if "damaged.bin" in error.what else "not named")
        else:
            assert recording.samples.dtype == np.float32
            assert recording.samples.shape[0] <= MOST
    record_property("inputs", EACH)
    assert reasons
    assert not {"memory", "failed", "not named"} & set(reasons)
