"""Reading params.yaml; an error names every key that cannot be used."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from leitmotif.claims import Claims
from leitmotif.config.auto import planned, without_auto
from leitmotif.config.params import CORPORA, Params
from leitmotif.errors import ConfigError, counted
from leitmotif.files.yaml_files import read_yaml

PARAMS_FILE = Path("params.yaml")


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and validate a params file.

    Raises ConfigError, which names every bad key, what was found and what is allowed.
    """
    fix = "run this in the repository's root, or `leitmotif use PRESET` to write one"
    return parse_params(read_yaml(path, fix=fix), origin=str(path))


def parse_params(values: Any, *, origin: str = "params") -> Params:
    """Validate params given as plain data; see ``load_params``."""
    values, auto = without_auto(values)
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        problems = [_describe(problem) for problem in error.errors()]
        count = counted(len(problems), "setting")
        raise ConfigError(
            "\n".join([f"{origin}: {count} cannot be used", *problems]),
            fix="correct the keys named, or start again: `leitmotif use PRESET --reset`",
        ) from error
    params._auto = auto
    _check_that_claims_are_possible(params, origin)
    params = planned(params)
    if params.corpus.source != "organism":  # composed pieces are treated up to their slot
        params.interventions.check_reach(Claims.of(params.probes).claimed.after)
    return params


def _check_that_claims_are_possible(params: Params, origin: str) -> None:
    """Refuse settings with which no site could ever be decodable, whatever the data say."""
    claims, sites = Claims.of(params.probes), len(params.activations.sites)
    permutations = params.probes.permutations
    needed = claims.permutations_needed(sites=sites)
    if permutations < needed:
        raise ConfigError(
            f"{origin}: probes.permutations is too small for any claim of foresight",
            found=f"{permutations}, with which no p-value is below {1 / (permutations + 1):.3g}",
            expected=f"at least {needed}: a site is decodable at p of at most "
            f"{claims.level(claims.family(sites=sites)):.3g}, which is probes.alpha "
            f"{claims.alpha:g} over {claims.family(sites=sites)} tests (activations.sites times "
            "the horizons of a claim)",
            fix=f"set probes.permutations to {needed} or more",
        )


def _describe(problem: Any) -> str:
    location, value = problem["loc"], problem["input"]
    key = _dotted(location)
    match problem["type"]:
        case "extra_forbidden":
            allowed = _keys_beside(location)
            close = difflib.get_close_matches(str(location[-1]), allowed, n=1)
            guess = f" (did you mean {close[0]}?)" if close else ""
            rule = f"unknown key{guess}; allowed here: {', '.join(allowed)}"
        case "missing":
            return f"  {key}: missing; every key must be present"
        case "union_tag_invalid" | "union_tag_not_found":
            key = f"{key}.source"
            if "source" not in value:
                return f"  {key}: missing; every key must be present"
            value = value["source"]
            rule = f"expected one of {', '.join(map(repr, CORPORA))}"
        case "model_type" | "model_attributes_type":
            rule = "expected keys with values below it"
        case "value_error":
            rule = str(problem["ctx"]["error"])
        case _:
            rule = problem["msg"].replace("Input should be", "expected", 1)
            rule = rule[0].lower() + rule[1:]
    return f"  {key}: found {value!r}; {rule}"


def _keys_beside(location: Sequence[int | str]) -> list[str]:
    section: Any = Params
    if len(location) > 1:
        parent = str(location[-2])
        section = CORPORA.get(parent) or Params.model_fields[parent].annotation
    return sorted(section.model_fields)


def _dotted(location: Sequence[int | str]) -> str:
    # pydantic puts a union's tag into the location; the file has no such level.
    tagged = len(location) > 1 and location[0] == "corpus" and location[1] in CORPORA
    parts = [location[0], *location[2:]] if tagged else list(location)
    return ".".join(str(part) for part in parts) or "the file"
