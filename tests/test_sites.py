"""Names of sites, and what other names are resolved to."""

import pytest

from leitmotif.sites import (
    KINDS,
    TRANSFORMER_LENS,
    canonical_site,
    sites_of,
    split_site,
    summarised,
)


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("layers.3.residual", "layers.3.residual"),
        ("layers.3.residual_mid", "layers.3.residual_mid"),
        ("layers.3.residual_mid_cross", "layers.3.residual_mid_cross"),
        ("hook_layers.12", "layers.12.residual"),
        # The stream before a block is the one after the block before; one tensor has one name.
        ("layers.3.input", "layers.2.residual"),
        ("layers.0.input", "layers.0.input"),
        ("blocks.3.hook_resid_pre", "layers.2.residual"),
        ("blocks.0.hook_resid_pre", "layers.0.input"),
        ("blocks.3.hook_resid_mid", "layers.3.residual_mid"),
        ("blocks.3.hook_resid_mid_cross", "layers.3.residual_mid_cross"),
        ("blocks.3.hook_resid_post", "layers.3.residual"),
        ("blocks.3.hook_attn_out", "layers.3.self_attention"),
        ("blocks.3.hook_cross_attn_out", "layers.3.cross_attention"),
        ("blocks.13.hook_mlp_out", "layers.13.mlp"),
        ("resid_pre0", "layers.0.input"),
        ("resid_pre1", "layers.0.residual"),
        ("resid_post10", "layers.10.residual"),
        ("mlp_out2", "layers.2.mlp"),
        ("layers.3.self_attention.head.5", "layers.3.self_attention.head.5"),
        ("layers.3.self_attention.q", "layers.3.self_attention.q"),
        ("layers.03.cross_attention.k", "layers.3.cross_attention.k"),
        ("layers.3.cross_attention.head.012", "layers.3.cross_attention.head.12"),
        ("layers.3.self_attention.pattern", "layers.3.self_attention.pattern"),
        ("blocks.3.attn.hook_pattern", "layers.3.self_attention.pattern"),
        ("blocks.3.attn.hook_q", "layers.3.self_attention.q"),
        ("blocks.3.cross_attn.hook_pattern", "layers.3.cross_attention.pattern"),
        ("pattern12", "layers.12.self_attention.pattern"),
        ("v0", "layers.0.self_attention.v"),
    ],
)
def test_every_name_is_resolved_to_one(name: str, canonical: str) -> None:
    assert canonical_site(name) == canonical
    assert canonical_site(canonical) == canonical


def test_every_site_has_a_name_of_transformer_lens() -> None:
    assert sorted(TRANSFORMER_LENS.values()) == sorted(KINDS)


def test_the_sites_of_a_model_are_canonical_and_distinct() -> None:
    sites = sites_of(3)
    assert [canonical_site(site) for site in sites] == sites
    assert len(set(sites)) == len(sites) == 1 + 3 * 6
    assert [split_site(site)[0] for site in sites] == [0] * 7 + [1] * 6 + [2] * 6


def test_a_part_of_attention_has_its_layer_and_a_kind_of_its_own() -> None:
    assert split_site("layers.3.self_attention.head.5") == (3, "self_attention.head.5")
    assert split_site("layers.3.self_attention.v") == (3, "self_attention.v")
    assert split_site("layers.3.self_attention") == (3, "self_attention")


def test_sites_are_summarised_by_what_they_share() -> None:
    assert summarised(["layers.0.input", "layers.0.mlp", "layers.1.mlp"]) == (
        "layers.N.input with N of 0..0; layers.N.mlp with N of 0..1"
    )


@pytest.mark.parametrize(
    "name",
    [
        "resid_post",
        "blocks.1.resid_post",
        "blocks.1.hook_z",
        "layers.1",
        "layers.-1.mlp",
        "mlp2",
        "layers.1.mlp.q",
        "layers.1.self_attention.head",
        "layers.1.self_attention.head.q",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a site"):
        canonical_site(name)
