"""A sentence for the model from a track's tags."""

from collections.abc import Iterable


def prompt_from_tags(tags: Iterable[str]) -> str:
    """Describe a track in one sentence: its moods, its genres, its instruments.

    Tags are MTG-Jamendo's: ``mood/theme---calm``, ``genre---ambient``, ``instrument---piano``. A
    tag of another kind, or of none, is listed with the moods. Order is kept.

    >>> prompt_from_tags(["genre---ambient", "instrument---piano", "mood/theme---calm"])
    'calm ambient music with piano'
    """
    moods: list[str] = []
    genres: list[str] = []
    instruments: list[str] = []
    groups = {"genre": genres, "instrument": instruments}
    for tag in tags:
        kind, separator, name = tag.partition("---")
        groups.get(kind if separator else "", moods).append(name if separator else kind)
    words = [*(", ".join(group) for group in (moods, genres) if group), "music"]
    if instruments:
        words += ["with", " and ".join(instruments)]
    return " ".join(words)
