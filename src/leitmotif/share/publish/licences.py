"""What a licence allows to be published: the one rule, with its reasons.

A stored tensor, a curve of features and a clip that begins with a recording are made from that
recording. Whether the law takes them for adaptations is not settled, so the rule treats them as
such:

1. Without a stated licence nothing is allowed.
2. A licence is recognised by the address of its text, not by its name, which anybody may write.
   One that is not in the lists below allows nothing here, even if it would if it were read.
3. A licence without derivatives (ND) forbids sharing what was made from the recording.
4. A licence with attribution (BY) asks for a credit, so without one nothing is allowed.
5. Non-commercial (NC) and share-alike (SA) licences allow sharing under the same licence. Each
   published file therefore carries the licences of all that it was made from.
6. What was made from several recordings, or from a recording by a model, needs the permission of
   each of them.

Recordings themselves are never published, whatever their licence: they have a source of their own.
"""

import re
from typing import Literal, Protocol

Reason = Literal[
    "no_licence", "unknown_licence", "no_derivatives", "no_attribution", "unknown_track"
]
REASONS: dict[str, str] = {
    "no_licence": "no licence is stated",
    "unknown_licence": "the address of its licence is not one that the rule knows",
    "no_derivatives": "its licence forbids sharing what is made from it",
    "no_attribution": "its licence asks for a credit, and none is stated",
    "unknown_track": "nothing tells which recording it was made from",
}
"""Why something is not published, in words."""


class AnyLicence(Protocol):
    """What a row of the manifest and an entry of artifacts.yaml have in common."""

    @property
    def name(self) -> str:
        """Short name."""

    @property
    def url(self) -> str | None:
        """Address of the text."""

    @property
    def attribution(self) -> str | None:
        """Whom to credit."""


_CREATIVE_COMMONS = re.compile(
    r"https?://(?:www\.)?creativecommons\.org/(?P<path>licenses|publicdomain)/(?P<kind>[a-z+-]+)/"
    r"(?P<version>\d\.\d)(?:/(?P<port>(?!deed|legalcode)[a-z-]+))?(?:/(?:deed|legalcode)(?:[.-][\w-]+)*)?/?"
)
_CONDITIONS = {"by", "nc", "nd", "sa"}
_FREE = {"zero", "mark"}
_SOFTWARE = {
    "https://opensource.org/license/mit": "mit",
    "https://www.apache.org/licenses/LICENSE-2.0": "apache-2.0",
    "https://opensource.org/license/bsd-3-clause": "bsd-3-clause",
}
_HUB_VERSIONS = {
    "cc0": {"1.0"},
    "cc-by": {"2.0", "2.5", "3.0", "4.0"},
    "cc-by-sa": {"3.0", "4.0"},
    "cc-by-nc": {"2.0", "3.0", "4.0"},
    "cc-by-nc-sa": {"2.0", "3.0", "4.0"},
}
"""The Creative Commons licences that the hub has an identifier for."""


def refusal(licence: AnyLicence | None) -> Reason | None:
    """Why what was made under a licence may not be published; None if it may."""
    if licence is None or not licence.url:
        return "no_licence"
    conditions = _conditions(licence.url)
    if conditions is None:
        return "unknown_licence"
    if "nd" in conditions:
        return "no_derivatives"
    return "no_attribution" if "by" in conditions and not licence.attribution else None


def _conditions(url: str) -> set[str] | None:
    """Conditions by their Creative Commons names; None for a licence that the rule does not know.

    Licences of software ask for a credit, too.
    """
    if url in _SOFTWARE:
        return {"by"}
    match = _CREATIVE_COMMONS.fullmatch(url)
    if match is None:
        return None
    if match["path"] == "publicdomain":
        return set() if match["kind"] in _FREE else None
    conditions = set(match["kind"].split("-"))
    return conditions if conditions <= _CONDITIONS else None


def hub_identifier(licence: AnyLicence) -> str:
    """The hub's identifier of a licence; ``other`` where it has none."""
    if licence.url in _SOFTWARE:
        return _SOFTWARE[licence.url]
    match = _CREATIVE_COMMONS.fullmatch(licence.url or "")
    if match is None or match["port"]:
        return "other"
    kind = {"zero": "cc0"}.get(match["kind"], f"cc-{match['kind']}")
    known = match["version"] in _HUB_VERSIONS.get(kind, set())
    return f"{kind}-{match['version']}" if known else "other"
