"""What the documentation says of error rates at size is what was measured."""

import json
from pathlib import Path
from typing import Any

from benchmarks.levels import LEVELS, level
from leitmotif.sae.audit.measured import CLEARLY


def results() -> Any:
    return json.loads(Path("benchmarks/results/levels.json").read_text())


def test_the_page_has_the_rates_that_were_measured() -> None:
    page = Path("docs/probes.md").read_text()
    for row in results()["levels"]:
        means = " | ".join(f"{rate['mean']:.5f}" for rate in row["rates"])
        line = f"| {row['tracks']} | {row['features']:,} | {row['panels']} | {means} |"
        assert f"{line} {row['chosen_in']} |" in page


def test_no_level_is_exceeded_beyond_its_interval() -> None:
    for row in results()["levels"]:
        for rate in row["rates"]:
            assert rate["mean"] <= 1.1 * rate["level"] if rate["low"] is None else True
            assert rate["low"] is None or rate["low"] <= rate["level"], row


def test_an_autoencoder_of_the_published_shape_that_has_learnt_nothing_fails_the_audit() -> None:
    page = Path("docs/sae.md").read_text()
    for made in results()["chance"]:
        assert min(made["others"]) > CLEARLY
        assert 0.51 < made["chance"] < 0.525
    assert "`chance` is 0.52" in page


def test_p_values_of_features_without_a_link_are_counted() -> None:
    row = level(40, 64, 2)
    assert [rate["level"] for rate in row["rates"]] == [*LEVELS]
    shares = [rate["mean"] for rate in row["rates"]]
    assert shares == sorted(shares, reverse=True)
    assert 0.0 <= shares[0] < 0.25
