"""Two revisions of an experiment, compared for a review.

``compare`` makes a document, which ``markdown.to_markdown`` and ``terminal.print_document`` show.
"""

from leitmotif.share.compare.compared import Options, compare
from leitmotif.share.compare.document import Document
from leitmotif.share.compare.markdown import CAP, MARKER, to_markdown

__all__ = ["CAP", "MARKER", "Document", "Options", "compare", "to_markdown"]
