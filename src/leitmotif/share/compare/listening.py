"""The report's pages of candidates whose verdict changed: pairs of clips to listen to."""

from leitmotif.report.pairs import page_path
from leitmotif.share.compare.document import Cell, Data, Inline, Link, Row, Section, TableBlock
from leitmotif.share.compare.rows import TableChange

REPORT = "data/report"


def listening(change: TableChange | None, report: str | None) -> Section:
    """The pages of candidates that are new or judged otherwise.

    Parameters
    ----------
    change: of data/verdicts.jsonl; None if it did not change.
    report: path or URL of the listening report, without a ``/`` at its end; None for names of files
        without links.
    """
    rows = []
    for row in change.rows if change is not None else []:
        if row.new is None or (row.old or {}).get("verdict") == row.new.get("verdict"):
            continue
        model, candidate = (str(row.new.get(key, "")) for key in ("model", "candidate"))
        page = page_path(model, candidate)
        link: Inline = (
            Data(f"{REPORT}/{page}") if report is None else Link("listen", f"{report}/{page}")
        )
        rows.append(Row(((Data(f"{model} · {candidate}"),), (link,)), 0))
    if not rows:
        return Section("Clips")
    line: Cell = ("Pairs of clips before and after, in the listening report; dvc pull gets it.",)
    return Section("Clips", [line], [TableBlock(("candidates",), ("candidate", ""), rows, most=20)])
