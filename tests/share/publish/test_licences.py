"""What a licence allows."""

import pytest

from leitmotif.share.publish.licences import REASONS, hub_identifier, refusal
from leitmotif.tables.corpus import Licence

COMMONS = "creativecommons.org/licenses"


def licence(url: str | None, attribution: str | None = "A player") -> Licence:
    return Licence(name="as it likes to be called", url=url, attribution=attribution)


@pytest.mark.parametrize(
    ("url", "identifier"),
    [
        ("https://creativecommons.org/publicdomain/zero/1.0/", "cc0-1.0"),
        ("http://creativecommons.org/publicdomain/mark/1.0/", "other"),
        (f"https://{COMMONS}/by/4.0/", "cc-by-4.0"),
        (f"http://{COMMONS}/by/3.0", "cc-by-3.0"),
        (f"http://www.{COMMONS}/by-nc-sa/3.0/", "cc-by-nc-sa-3.0"),
        (f"http://{COMMONS}/by-nc/2.5/", "other"),
        (f"http://{COMMONS}/by-sa/3.0/fr/", "other"),
        (f"https://{COMMONS}/by-nc/4.0/legalcode.en", "cc-by-nc-4.0"),
        (f"https://{COMMONS}/by-nc/4.0/deed.de", "cc-by-nc-4.0"),
        (f"https://{COMMONS}/by/4.0/deed", "cc-by-4.0"),
        ("https://opensource.org/license/mit", "mit"),
    ],
)
def test_these_allow_sharing(url: str, identifier: str) -> None:
    assert refusal(licence(url)) is None
    assert hub_identifier(licence(url)) == identifier


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (None, "no_licence"),
        ("", "no_licence"),
        (f"https://{COMMONS}/by-nd/4.0/", "no_derivatives"),
        (f"http://{COMMONS}/by-nc-nd/3.0/", "no_derivatives"),
        (f"http://{COMMONS}/by-nd-nc/1.0/", "no_derivatives"),
        (f"http://{COMMONS}/nc-sampling+/1.0/", "unknown_licence"),
        (f"http://{COMMONS}/sampling/1.0/", "unknown_licence"),
        (f"http://{COMMONS}/by-xx/4.0/", "unknown_licence"),
        (f"https://{COMMONS}/by/4.0/../../by-nd/4.0/", "unknown_licence"),
        (f"https://example.org/{COMMONS}/by/4.0/", "unknown_licence"),
        ("https://creativecommons.org.example.org/licenses/by/4.0/", "unknown_licence"),
        ("https://creativecommons.org/publicdomain/by/4.0/", "unknown_licence"),
        ("http://artlibre.org/licence.php/lal.html", "unknown_licence"),
        ("MIT", "unknown_licence"),
    ],
)
def test_these_do_not(url: str | None, reason: str) -> None:
    assert refusal(licence(url)) == reason
    assert reason in REASONS


@pytest.mark.parametrize("kind", ["by", "by-sa", "by-nc", "by-nc-sa"])
def test_a_licence_that_asks_for_a_credit_needs_one(kind: str) -> None:
    url = f"https://{COMMONS}/{kind}/4.0/"
    assert refusal(licence(url, None)) == "no_attribution"
    assert refusal(licence(url, "")) == "no_attribution"
    assert refusal(licence(url, "A player")) is None


def test_no_licence_allows_nothing() -> None:
    assert refusal(None) == "no_licence"


def test_the_public_domain_needs_no_credit() -> None:
    assert refusal(licence("https://creativecommons.org/publicdomain/zero/1.0/", None)) is None
