"""The calculation for a large store."""

from pathlib import Path

import pytest

from leitmotif.plan.store import (
    ALL_OF_MTG_JAMENDO,
    UPLOAD_PART,
    Prices,
    Speeds,
    StoreSize,
    store_table,
    upload_requests,
)


def test_the_documentation_has_the_table(repo_root: Path) -> None:
    page = (repo_root / "docs/what-it-takes.md").read_text(encoding="utf-8")
    assert "\n".join(store_table()) in page


def test_the_calculation_by_hand() -> None:
    size = ALL_OF_MTG_JAMENDO
    assert size.tensors == 18_486 * 72 == 1_330_992
    assert size.bytes == 1_330_992 * (1_500 * 1_024 * 2 + 2_000)
    # 554,580 s of contexts are 135.4 times 4,096 s: 2^8 shards a site.
    assert (size.digits, size.files) == (8, 256 * 72)


def test_a_small_store_has_no_shards() -> None:
    size = StoreSize(100, 5, 100, 1_500, 50.0, 1_024, 2)
    assert (size.digits, size.files) == (0, 500)
    rows = [line.split("|")[2:4] for line in store_table(size)[2:]]
    assert all(files.strip() == shards.strip() for files, shards in rows)


@pytest.mark.parametrize(
    ("size", "requests"),
    [(1, 1), (2 * UPLOAD_PART - 1, 1), (2 * UPLOAD_PART, 4), (4.2 * UPLOAD_PART, 7)],
)
def test_large_files_are_sent_in_parts(size: float, requests: int) -> None:
    assert upload_requests(10, size) == 10 * requests


def test_prices_and_speeds_are_inputs() -> None:
    dear = Prices(gigabyte_month=0.046)
    assert "| S3, a month | $188 | $188 |" in store_table(prices=dear)
    slow = Speeds(disk=359e5)
    assert "| writing | 31.7 h | 57.6 h |" in store_table(speeds=slow)
