"""Text from files never becomes markup, a link or a mention."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from leitmotif.errors import LeitmotifError
from leitmotif.share.compare.document import (
    Data,
    Document,
    Image,
    Link,
    Row,
    Section,
    Strong,
    TableBlock,
)
from leitmotif.share.compare.markdown import code, line, printable, to_markdown

MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})
HOSTILE = [
    "@everyone", "#12", "GH-12", "https://example.org", "www.example.org", "<img src=x>",
    "a|b", "`a`", "``", "*a*", "[a](b)", "![a](b)", "a\nb", "a\r\n\r\n# b", "\u202eabc", "\x1b[31m",
    "\ud800", "</details>", "-->", "<!-- leitmotif compare -->", "&lt;", "\\", "a\\|b",
    "~a~", "", " ",
]  # fmt: skip


def document(text: str) -> Document:
    rows = [Row(((Data(text),), ("words", Data(text))), 1)]
    folded = TableBlock(("rows of ", Data(text)), ("a", "b"), rows * 3, (Data(text),), True, most=1)
    plain = TableBlock(("rows",), ("a", "b"), rows, (Data(text), Strong("|words|")))
    section = Section("Section", [(Data(text), " and ", Data(text))], [plain, folded])
    return Document((Data(text),), [(Data(text),)], [section])


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_a_file_stays_text(text: str) -> None:
    markdown = to_markdown(document(text))
    markdown.encode()
    html = MARKDOWN.render(markdown)
    assert html.count("<!--") == 1
    assert html.count("<tr>") == 4
    assert html.count("<td>") == 4
    assert html.count("</details>") == 1
    outside = re.sub(r"<code>.*?</code>", "", html, flags=re.DOTALL)
    assert not re.search(r"<(img|a|em|h1|strong>[^|])", outside)
    assert "@" not in outside
    assert "example.org" not in outside


@given(st.text())
def test_any_text_fills_one_cell(text: str) -> None:
    html = MARKDOWN.render(to_markdown(document(text)))
    assert html.count("<td>") == 4
    assert html.count("<tr>") == 4


@given(st.text(alphabet=st.sampled_from("`ab |\\")))
def test_a_code_span_shows_its_text(text: str) -> None:
    rendered = MARKDOWN.parseInline(code(text))[0].children or []
    if text.strip(" "):
        assert "".join(token.content for token in rendered).strip(" ") == text.strip(" ")


def test_plain_words_are_not_code() -> None:
    assert code("decodable, not causal") == "decodable, not causal"
    assert code("layers.0") == "`layers.0`"
    assert code("") == "(empty)"


def test_what_is_not_seen_is_marked() -> None:
    assert printable("a\u202eb\x00\nc\u2028") == "a\ufffdb\ufffd⏎c\ufffd"


def test_targets_of_links_are_escaped() -> None:
    link = line((Link("listen", "data/report/a b>(c).html"),))
    assert link == "[listen](data/report/a%20b%3E%28c%29.html)"
    assert line((Image("a [b]", "x/y.svg"),)) == r"![a \[b\]](x/y.svg)"


def test_a_limit_that_not_even_headings_keep_is_refused() -> None:
    with pytest.raises(LeitmotifError, match="does not fit"):
        to_markdown(document("a" * 500), 300)
