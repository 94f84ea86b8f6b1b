"""The report's pages of candidates whose verdict changed: pairs of clips to listen to."""

from leitmotif.report.pairs import page_path
from leitmotif.share.compare.document import Cell, Data, Link, Row, Section, Table
from leitmotif.share.compare.rows import TableChange

REPORT = "data/report"


def listening(change: TableChange | None, report: str) -> Section:
    """Links to the pages of candidates that are new or judged otherwise.

    Parameters
    ----------
    change: of data/verdicts.jsonl; None if it did not change.
    report: path or URL of the listening report, without a ``/`` at its end.
    """
    rows = []
    for row in change.rows if change is not None else []:
        if row.new is None or (row.old or {}).get("verdict") == row.new.get("verdict"):
            continue
        model, candidate = (str(row.new.get(key, "")) for key in ("model", "candidate"))
        link = Link("listen", f"{report}/{page_path(model, candidate)}")
        rows.append(Row(((Data(f"{model} · {candidate}"),), (link,)), 0))
    if not rows:
        return Section("Clips")
    line: Cell = ("Pairs of clips before and after, in the listening report; dvc pull gets it.",)
    return Section("Clips", [line], [Table(("candidates",), ("candidate", ""), rows, most=20)])
