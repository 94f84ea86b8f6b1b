"""Templates, and whether outputs, settings, commit and report belong together."""

import re
import subprocess
from collections import Counter
from hashlib import md5
from pathlib import Path

from leitmotif.errors import LeitmotifError, counted
from leitmotif.files import read_json, read_text, sha256_file
from leitmotif.files.restoring import how_to_restore
from leitmotif.files.yaml_files import read_stages
from leitmotif.pipeline import REPORT
from leitmotif.pipeline.durations import PIPELINE
from leitmotif.share.lockfile import LOCK, outdated_stages
from leitmotif.share.outs import revision_outs
from leitmotif.share.protocol.inputs import Inputs, named
from leitmotif.share.protocol.lines import Outcome, failed, passed
from leitmotif.share.protocol.registry import check
from leitmotif.share.protocol.schemas import schema_of
from leitmotif.share.protocol.templates import TEMPLATES
from leitmotif.share.publish.routing import ROUTING, load_routing, routing_problems
from leitmotif.share.revisions import revision, working_tree

_HASH = re.compile(r"<dt>(data/[^<]+)</dt><dd><code>([0-9a-f]{64})</code>")
_ID = re.compile(r'data-report="([0-9a-f]+)"')


@check(
    "templates",
    "Every configuration file fits its schema, which is that of the code",
    item="deliverable: configuration templates",
    stage="",
)
def templates(inputs: Inputs) -> Outcome:
    """Read each file, and compare the schemas in git with those of the code."""
    wrong = []
    for template in TEMPLATES:
        try:
            if template.path is not None and template.is_yaml:
                template.read(template.path)
                if f"$schema={template.schema.as_posix()}" not in read_text(template.path):
                    wrong.append(f"{template.path} does not name its schema {template.schema}")
            if read_json(template.schema) != schema_of(template.model()):
                wrong.append(f"{template.schema} is not the code's")
        except LeitmotifError as error:
            wrong.append(error.what)
    if wrong:
        return failed(
            named(wrong), "mend the file named, or write the schemas: python scripts/templates.py"
        )
    files = [str(template.path) for template in TEMPLATES if template.is_yaml]
    return passed(f"{named(files, most=9)}; {len(TEMPLATES)} schemas")


@check(
    "routing",
    "Every output is kept where artifacts.yaml says",
    item="checklist: artifact routing",
    stage="",
)
def routing(inputs: Inputs) -> Outcome:
    """Compare artifacts.yaml with dvc.yaml, and with the weights in git."""
    routed = load_routing()
    problems = routing_problems(routed, working_tree())
    if problems:
        return failed(f"{ROUTING}: {named(problems)}", f"mend the entry in {ROUTING}, or dvc.yaml")
    stores = Counter(path.storage for path in routed.artifacts for _ in path.paths)
    shared = sum(len(artifact.paths) for artifact in routed.artifacts if artifact.hub == "dataset")
    return passed(
        f"{stores['git']} files and folders in git, {stores['dvc']} in DVC, {shared} of them for "
        "the hub"
    )


@check(
    "settings",
    "Every stage last ran with the settings of params.yaml",
    item="reproducibility",
    stage="",
)
def settings(inputs: Inputs) -> Outcome:
    """Compare dvc.lock with dvc.yaml and params.yaml."""
    stages, locked = read_stages(PIPELINE), read_stages(LOCK)
    unknown = sorted(locked.keys() - stages.keys())
    if unknown:
        return failed(f"{PIPELINE} has no {named(unknown)}, {LOCK} does", "restore them from git")
    outdated = sorted((stages.keys() - locked.keys()) | outdated_stages())
    if outdated:
        return failed(
            f"{LOCK}: not of today's settings, or on inputs of others: {named(outdated)}",
            f"dvc repro {' '.join(outdated)}",
        )
    return passed(f"{counted(len(stages), 'stage')}")


@check(
    "outputs",
    "Every output is there, and what git keeps equals its hash in dvc.lock",
    item="reproducibility",
    stage="",
)
def outputs(inputs: Inputs) -> Outcome:
    """Look for all outputs; hash tables, metrics and plots (``leitmotif verify`` has the rest)."""
    outs = [out for out in revision_outs(working_tree()) if out.md5 is not None]
    kept = [out for out in outs if not out.cached and not out.is_folder]
    wrong = [out for out in kept if _md5(Path(out.path)) != out.md5]
    if wrong:
        return failed(
            f"not what {LOCK} says: {named([out.path for out in wrong])}",
            f"dvc repro {' '.join(sorted({out.stage for out in wrong}))}",
        )
    gone = [out for out in outs if out.cached and not Path(out.path).exists()]
    if gone:
        stages = sorted({out.stage for out in gone})
        return failed(f"missing: {named([out.path for out in gone])}", how_to_restore(*stages))
    return passed(f"{counted(len(outs), 'output')}, {len(kept)} of them in git and as hashed")


def _md5(path: Path) -> str | None:
    return md5(path.read_bytes(), usedforsecurity=False).hexdigest() if path.is_file() else None


@check(
    "git",
    "The repository is as its commit says",
    item="artifact routing: code and metadata in git",
    stage="",
)
def git(inputs: Inputs) -> Outcome:
    """Ask git for files that differ from the commit."""
    commit = revision("HEAD").commit or ""
    asked = subprocess.run(
        ["git", "status", "--porcelain=v1", "-z", "--untracked-files=normal"],
        capture_output=True,
        check=False,
    )
    if asked.returncode:
        return failed(asked.stderr.decode(errors="replace"), "run this in a git repository")
    changed = [name[3:] for name in asked.stdout.decode(errors="replace").split("\0") if name]
    if changed:
        return failed(
            f"{counted(len(changed), 'file')} not as in commit {commit[:10]}: {named(changed)}",
            "git commit them, or git restore them",
        )
    return passed(f"commit {commit[:10]}, nothing changed since")


@check(
    "report",
    "The listening report is that of these tables",
    item="core solution: before and after clips for auditing",
    stage="report",
)
def report(inputs: Inputs) -> Outcome:
    """Compare the hashes that the report states with the tables that it was made from."""
    page = REPORT / "index.html"
    text = read_text(page, fix="dvc repro report")
    stated = dict(_HASH.findall(text))
    made = _ID.search(text)
    if made is None or not stated or not text.rstrip().endswith("</html>"):
        return failed(
            f"{page} is not a whole page with the hashes of its tables", "dvc repro report"
        )
    others = [
        name
        for name, sha256 in stated.items()
        if not Path(name).is_file() or sha256_file(Path(name)) != sha256
    ]
    if others:
        return failed(
            f"report {made[1]} was made from other contents of {named(others)}",
            "dvc repro report",
        )
    return passed(f"report {made[1]}, made from {len(stated)} tables as they are")
