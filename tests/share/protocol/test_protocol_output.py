"""The protocol as text, Markdown and JSON, and the schemas of all templates."""

import json
import re
import shutil
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from leitmotif.cli.program import app
from leitmotif.files.yaml_files import parse_yaml, read_yaml
from leitmotif.lens.concepts import ConceptTable
from leitmotif.share.protocol.inputs import Inputs
from leitmotif.share.protocol.lines import Protocol, ProtocolLine, Status
from leitmotif.share.protocol.output import as_markdown, as_text
from leitmotif.share.protocol.registry import CHECKS, check
from leitmotif.share.protocol.run import run_checks
from leitmotif.share.protocol.schemas import annotated, schema_of
from leitmotif.share.protocol.templates import TEMPLATES, Template


def line(status: Status, **changed: str | None) -> ProtocolLine:
    values = {
        "id": f"one-{status[0]}",
        "item": "checklist: an item",
        "title": "All is well",
        "evidence": "3 of 3",
        "fix": "dvc repro probes" if status == "fail" else None,
    }
    return ProtocolLine.model_validate({**values, "status": status, **changed})


PROTOCOL = Protocol(
    commit="0123456789" * 4,
    lines=[
        line("pass"),
        line("fail", evidence="data/x.jsonl: <b>|`@someone` and a word " + "long " * 30),
        line("not applicable"),
    ],
)


def test_the_text_says_what_was_found_and_what_to_do() -> None:
    text = as_text(PROTOCOL)
    assert text[:2] == ["✓ one-p  All is well", "         3 of 3"]
    assert "         to do: dvc repro probes" in text
    assert text[-1] == "Protocol at commit 0123456789: 1 pass, 1 fails, 1 not applicable"
    assert max(map(len, text)) <= 100


def test_the_markdown_shows_failures_first_and_is_safe() -> None:
    text = "\n".join(as_markdown(PROTOCOL))
    assert text.startswith("**Protocol at commit 0123456789: 1 pass, 1 fails")
    failures, others = text.split("<details>")
    assert "| ✗ | All is well | data/x.jsonl: &lt;b>\\|" in failures
    assert "| dvc repro probes |" in failures
    assert "@someone" not in text  # would notify a stranger
    assert "✗" not in others
    assert others.count("| All is well | 3 of 3 |") == 2
    rows = [row for row in text.splitlines() if row.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4, 5}


def test_a_long_error_of_a_check_is_one_short_line(monkeypatch: pytest.MonkeyPatch) -> None:
    @check("broken", "It holds", item="none", stage="probes")
    def broken(inputs: Inputs) -> object:
        raise ZeroDivisionError("by\nzero " * 200)

    monkeypatch.setitem(CHECKS, "broken", CHECKS.pop("broken"))
    found = next(one for one in run_checks(Inputs()).lines if one.id == "broken")
    assert found.status == "fail"
    assert found.evidence.startswith("cannot be checked: ZeroDivisionError: by zero")
    assert len(found.evidence) == 400
    assert found.fix == "dvc repro probes"


def test_the_command_writes_what_its_schema_allows(repository: Path) -> None:
    files = ["--json", "found/check.json", "--md", "found/check.md"]
    done = CliRunner().invoke(app, ["check", "--replay", "0", *files])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1].endswith(" pass, 0 fail, 1 not applicable")
    values = json.loads(Path("found/check.json").read_text())
    jsonschema.validate(values, schema_of(Protocol))
    assert Path("found/check.md").read_text().startswith("**Protocol at commit ")
    shutil.rmtree("data/clips")
    again = CliRunner().invoke(app, ["check", "--replay", "0", *files])
    assert again.exit_code == 1
    assert again.exception
    assert "is there already" in str(again.exception)
    again = CliRunner().invoke(app, ["check", "--replay", "0", *files, "--replace"])
    assert again.exit_code == 1
    assert "to do: dvc repro interventions" in again.output
    statuses = {
        one["id"]: one["status"]
        for one in json.loads(Path("found/check.json").read_text())["lines"]
    }
    assert statuses["clips"] == statuses["outputs"] == "fail"


def test_files_of_others_are_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, option in (("notes.md", "--md"), ("notes.json", "--json")):
        Path(name).write_text("{}")
        done = CliRunner().invoke(app, ["check", option, name, "--replace"])
        assert "a file that this command did not write" in str(done.exception)
        assert Path(name).read_text() == "{}"


YAML_TEMPLATES = [template for template in TEMPLATES if template.is_yaml]


@pytest.mark.parametrize("template", YAML_TEMPLATES, ids=lambda template: template.name)
def test_a_file_fits_its_schema_and_names_it(template: Template, repo_root: Path) -> None:
    assert template.path is not None
    path = repo_root / template.path
    jsonschema.validate(read_yaml(path), schema_of(template.model()))
    template.read(path)
    assert f"# yaml-language-server: $schema={template.schema.as_posix()}\n" in path.read_text()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_every_field_of_a_template_is_explained(template: Template) -> None:
    schema = schema_of(template.model())
    parts = {template.name: schema, **schema.get("$defs", {})}
    bare = [
        f"{part}.{name}"
        for part, definition in parts.items()
        for name, field in definition.get("properties", {}).items()
        if not field.get("description")
    ]
    assert bare == []


def test_an_annotated_example_is_the_value_with_what_keys_mean(repo_root: Path) -> None:
    values = read_yaml(repo_root / "concepts.yaml")
    text = annotated(ConceptTable, values)
    assert parse_yaml(text) == values
    assert "# A sentence with every slot in braces.\ntemplate: " in text
    assert "  # Names its rows in the tables.\n  - name: guitar\n    # Slot of the template" in text
    assert max(map(len, re.findall("^ *#.*$", text, flags=re.MULTILINE))) <= 92


def test_a_control_that_is_not_registered_does_not_fit() -> None:
    (controls,) = (template for template in TEMPLATES if template.name == "controls")
    expansion = {"knots": 1, "waves": 1, "interactions": 1}
    schema = schema_of(controls.model())
    jsonschema.validate({"controls": {"position": None}, "expansion": expansion}, schema)
    for wrong in ({"mood": None}, {"continuity": {"second": 1.0}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"controls": wrong, "expansion": expansion}, schema)
