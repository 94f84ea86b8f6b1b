import pytest

from leitmotif.store.prompt import prompt_from_tags


@pytest.mark.parametrize(
    ("tags", "sentence"),
    [
        ([], "music"),
        (["instrument---piano"], "music with piano"),
        (
            ["genre---ambient", "instrument---piano", "mood/theme---calm", "instrument---strings"],
            "calm ambient music with piano and strings",
        ),
        (["genre---rock", "genre---pop", "loud"], "loud rock, pop music"),
    ],
)
def test_tags_become_a_sentence(tags: list[str], sentence: str) -> None:
    assert prompt_from_tags(tags) == sentence
