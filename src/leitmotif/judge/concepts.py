"""The concepts of the ISMIR 2024 experiments, and the AudioSet labels of each.

Table 1 of Vélez Vásquez et al., with the labels spelt as in AudioSet's ontology (Gemmeke et al.,
ICASSP 2017; https://research.google.com/audioset/ontology/).
"""

from collections.abc import Sequence

from leitmotif.errors import ModelError, counted

INSTRUMENTS: dict[str, tuple[str, ...]] = {
    "guitar": (
        "Guitar",
        "Acoustic guitar",
        "Electric guitar",
        "Bass guitar",
        "Plucked string instrument",
    ),
    "piano": ("Piano", "Electric piano", "Keyboard (musical)"),
    "trumpet": ("Trumpet", "Brass instrument"),
    "violin": ("Violin, fiddle", "String section", "Bowed string instrument"),
}
"""The first label of each is the name of the concept; log-odds use it."""
GENRES: dict[str, tuple[str, ...]] = {
    "classical": ("Classical music",),
    "jazz": ("Jazz", "Rhythm and blues"),
    "pop": ("Pop music",),
    "rock": ("Rock music", "Rock and roll", "Progressive rock", "Punk rock"),
    "EDM": (
        "Electronic dance music",
        "Electronic music",
        "Techno",
        "Drum and bass",
        "Dubstep",
        "House music",
    ),
    "hip hop": ("Hip hop music",),
}
CONCEPTS = INSTRUMENTS | GENRES


def own_label(concept: str) -> str:
    """The label that names a concept. Raises ModelError for an unknown concept."""
    return _labels_of(concept)[0]


def relevant_labels(concept: str, known: Sequence[str]) -> tuple[str, ...]:
    """The labels of a concept that are among ``known``, the labels of a tagger; its name comes
    first.

    A tagger with few labels may lack some of them. Raises ModelError if it lacks the concept's
    name.
    """
    labels = tuple(label for label in _labels_of(concept) if label in known)
    if own_label(concept) not in labels:
        raise ModelError(
            f"the tagger does not know the concept {concept!r}",
            found=f"{counted(len(known), 'label')} without {own_label(concept)!r}",
            fix="use a tagger trained on AudioSet, or leave the concept out",
        )
    return labels


def _labels_of(concept: str) -> tuple[str, ...]:
    if concept not in CONCEPTS:
        raise ModelError("unknown concept", found=repr(concept), expected=", ".join(CONCEPTS))
    return CONCEPTS[concept]
