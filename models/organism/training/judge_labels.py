"""What composed sounds are called: AudioSet's labels, spelt as in its ontology.

A sound has its own label and those above it (https://research.google.com/audioset/ontology/).
"""

_BASS_DRUM = ("Bass drum", "Drum", "Percussion")
_SNARE = ("Snare drum", "Drum", "Percussion")
_HI_HAT = ("Hi-hat", "Cymbal", "Percussion")

VOICES: dict[str, tuple[str, ...]] = {
    "guitar": ("Guitar", "Acoustic guitar", "Plucked string instrument"),
    "piano": ("Piano", "Keyboard (musical)"),
    "trumpet": ("Trumpet", "Brass instrument"),
    "violin": ("Violin, fiddle", "Bowed string instrument"),
    "bell": ("Bell",),
    "kick": _BASS_DRUM,
    "soft kick": _BASS_DRUM,
    "hard kick": _BASS_DRUM,
    "club kick": _BASS_DRUM,
    "boom": _BASS_DRUM,
    "snare body": _SNARE,
    "snare": _SNARE,
    "hat": _HI_HAT,
    "pedal hat": _HI_HAT,
    "open hat": _HI_HAT,
    "tick": _HI_HAT,
    "ride": ("Cymbal", "Percussion"),
    "clap": ("Percussion",),
    "shaker": ("Percussion",),
}
"""By voice; those that accompany and are no instrument of AudioSet's have none."""
GENRES: dict[str, tuple[str, ...]] = {
    "classical": ("Classical music",),
    "jazz": ("Jazz",),
    "pop": ("Pop music",),
    "rock": ("Rock music",),
    "EDM": ("Electronic dance music", "Electronic music"),
    "hip hop": ("Hip hop music",),
    "ambient": ("Ambient music",),
}
MUSIC = ("Music", "Musical instrument")
NO_MUSIC = ("Silence", "Noise")
LABELS = tuple(
    dict.fromkeys(
        label for group in (MUSIC, *VOICES.values(), *GENRES.values(), NO_MUSIC) for label in group
    )
)
"""Every label that occurs, each once: the tagger's."""


def labels_of(voices: set[str], genre: str) -> frozenset[str]:
    """What is true of a clip in which these voices are heard."""
    heard = {label for voice in voices for label in VOICES.get(voice, ())}
    return frozenset(heard | {*GENRES[genre], *MUSIC})
