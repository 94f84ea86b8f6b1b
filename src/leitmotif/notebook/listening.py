"""Sound in a notebook."""

from typing import TYPE_CHECKING

from leitmotif.audio.reading.samples import Clip, as_clip, rate_of
from leitmotif.audio.writing import as_int16
from leitmotif.errors import AudioError
from leitmotif.notebook.extra import from_extra

if TYPE_CHECKING:
    import IPython.display


def listen(audio: Clip, sample_rate: int | None = None) -> "IPython.display.Audio":
    """Make a player for a notebook, which plays mono audio as loud as it is.

    IPython's own class scales every clip to full scale, so that a quiet clip and a loud one cannot
    be compared.

    Parameters
    ----------
    audio: what ``load_audio`` or ``compose`` returned, or samples [n] or [1, n], such as a row of
        ``model.decode_audio``. What lies beyond full scale is clipped.
    sample_rate: of the samples, in Hz; not for what knows its own.

    Returns
    -------
    IPython's player.

    Raises AudioError for what is no mono audio, or none at all, and LeitmotifError for samples of
    which the rate is not known, and without the extra ``notebook``.

    Example
    -------
    >>> import leitmotif
    >>> [piece] = leitmotif.compose(1, seed=3)
    >>> type(listen(piece)).__name__
    'Audio'
    """
    display = from_extra("IPython.display")
    rate = rate_of(audio, sample_rate)
    samples = as_int16(as_clip(audio, rate)) / 32767
    if not samples.size:
        raise AudioError(
            "there is nothing to hear", reason="too_short", found="0 samples", expected="at least 1"
        )
    return display.Audio(samples, rate=rate, normalize=False)
