"""Every argument of every public function, with what it cannot be: a named error, and no other."""

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import torch

import leitmotif
from leitmotif.errors import LeitmotifError
from leitmotif.musicgen import HookedMusicGen
from leitmotif.sae.autoencoder import SaeConfig
from tests.judge.tiny_judges import save_tiny_ast, save_tiny_clap
from tests.tiny import tiny_musicgen, tiny_tokenizer

SITE = "layers.1.residual"
STREAM = torch.linspace(-1, 1, 23 * 32).reshape(1, 23, 32)
CODES = torch.arange(80).remainder(64).reshape(1, 4, 20)
SOUND = np.sin(np.arange(64_000) / 20).astype(np.float32)
TABLE = np.random.default_rng(0).normal(size=(60, 3))
TRACKS = np.repeat(np.arange(10), 6).astype(str)

ODD: dict[str, Callable[[], Any]] = {
    "None": lambda: None, "5": lambda: 5, "-1": lambda: -1, "''": lambda: "", "x": lambda: "x",
    "NUL": lambda: "a\0b", "[]": lambda: [], "[None]": lambda: [None], "object": object,
    "bytes": lambda: b"ab", "nan": lambda: float("nan"), "inf": lambda: float("inf"),
    "1e30": lambda: 1e30, "10^400": lambda: 10**400, "True": lambda: True, "{}": dict,
    "{1: 2}": lambda: {1: 2}, "slice": lambda: slice(1), "iterator": lambda: iter([1]),
    "array()": lambda: np.array(3), "array of objects": lambda: np.array([object()]),
    "tensor()": lambda: torch.tensor(1.5), "no number": lambda: torch.empty(0),
    "bool tensor": lambda: torch.zeros(1, 4, 5, dtype=torch.bool),
    "complex": lambda: STREAM.to(torch.complex64), "float8": lambda: STREAM.to(torch.float8_e4m3fn),
    "sparse": STREAM.to_sparse, "sparse codes": CODES.to_sparse, "CSR": STREAM[0].to_sparse_csr,
    "meta": lambda: STREAM.to("meta"), "meta codes": lambda: CODES.to("meta"),
    "sparse vector": lambda: torch.ones(32).to_sparse(),
    "meta vector": lambda: torch.ones(32, device="meta"),
    "nested": lambda: torch.nested.nested_tensor([STREAM[0], STREAM[0]]),
    "quantised": lambda: torch.quantize_per_tensor(STREAM, 0.1, 0, torch.qint8),
}  # fmt: skip


@cache
def made() -> SimpleNamespace:
    """What methods are tried on."""
    torch.set_num_threads(1)
    model = HookedMusicGen.from_transformers(tiny_musicgen(), tiny_tokenizer())
    config = SaeConfig(d_in=32, d_sae=64, activation="topk", k=4)
    sae = leitmotif.SparseAutoencoder(config).requires_grad_(False)
    _, captured = model.run_with_cache(CODES, sites=[SITE])
    return SimpleNamespace(model=model, config=config, sae=sae, captured=captured)


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("judges")
    places = str(save_tiny_clap(folder / "clap")), str(save_tiny_ast(folder / "tagger"))
    clap = leitmotif.Clap.from_pretrained(places[0], device="cpu")
    return SimpleNamespace(
        places=places, clap=clap, tagger=leitmotif.Tagger.from_pretrained(places[1], device="cpu")
    )


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    mpl.use("agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def _generate(**given: Any) -> Any:
    return made().model.generate(**{"seconds": 0.1, **given})


def _changed(**given: Any) -> Any:
    item = {"site": SITE, "change": "add", "tensor": torch.ones(32), **given}
    return made().model(CODES, interventions=[leitmotif.Intervention(**item)])


def _fit(probe: Any, **given: Any) -> Any:
    values = {"X": TABLE, "y": TABLE[:, 0], "controls": TABLE[:, 1:], "groups": TRACKS, **given}
    if isinstance(probe, leitmotif.NaiveCorrelation):
        del values["controls"], values["groups"]
    return probe.fit(**values)


def _settings(kind: Any, name: str) -> Callable[[Any], Any]:
    fast = {"permutations": 2, "refits": 2}
    return lambda v: _fit(kind(**{**fast, name: v}))


def _method(of: str, name: str) -> Callable[[Any], Any]:
    """A method of what is made when a test runs."""

    def call(value: Any) -> Any:
        return getattr(getattr(made(), of), name)(value)

    return call


class Place:
    """An argument: how it is given, and labels of ``ODD`` that it may be."""

    def __init__(self, call: Callable[[Any], Any], *fits: str) -> None:
        self.call, self.fits = call, fits


PASSES = {
    "codes": Place(lambda v: made().model(v)),
    "prompts": Place(lambda v: made().model(CODES, v), "None", "x", "NUL"),
    "interventions": Place(lambda v: made().model(CODES, interventions=v), "[]"),
    "position_offset": Place(lambda v: made().model(CODES, position_offset=v), "5"),
}
PLACES: dict[str, dict[str, Place]] = {
    "HookedMusicGen": {"parts": Place(HookedMusicGen)},
    "HookedMusicGen.__call__": PASSES,
    "HookedMusicGen.from_pretrained": {
        "name": Place(HookedMusicGen.from_pretrained),
        **{
            name: Place(lambda v, n=name: HookedMusicGen.from_pretrained("nowhere", **{n: v}))
            for name in ("revision", "device", "dtype", "text_padding")
        },
    },
    "HookedMusicGen.from_transformers": {
        "model": Place(HookedMusicGen.from_transformers),
        "text_padding": Place(
            lambda v: HookedMusicGen.from_transformers(tiny_musicgen(), text_padding=v)
        ),
    },
    "HookedMusicGen.run_with_cache": {
        "codes": Place(_method("model", "run_with_cache")),
        "sites": Place(lambda v: made().model.run_with_cache(CODES, sites=v), "None", "[]", "{}"),
        "stop_at_layer": Place(
            lambda v: made().model.run_with_cache(CODES, stop_at_layer=v), "None"
        ),
    },
    "HookedMusicGen.logits_from": {
        "residual": Place(lambda v: made().model.logits_from(v, 3)),
        "layer": Place(lambda v: made().model.logits_from(STREAM, v)),
        "steps": Place(lambda v: made().model.logits_from(STREAM, 3, steps=v), "None"),
    },
    "HookedMusicGen.resume": {
        "residual": Place(lambda v: made().model.resume(v, 3)),
        "steps": Place(lambda v: made().model.resume(STREAM, 3, steps=v), "None"),
        "past": Place(lambda v: made().model.resume(STREAM, 1, past=v), "None"),
    },
    "HookedMusicGen.run_with_hooks": {
        "codes": Place(lambda v: made().model.run_with_hooks(v, fwd_hooks=[])),
        "fwd_hooks": Place(lambda v: made().model.run_with_hooks(CODES, fwd_hooks=v), "[]"),
        "what a hook returns": Place(
            lambda v: made().model.run_with_hooks(CODES, fwd_hooks=[(SITE, lambda x, hook: v)]),
            "None",
        ),
    },
    "HookedMusicGen.generate": {
        "prompts": Place(lambda v: _generate(prompts=v), "None", "x", "NUL"),
        "seconds": Place(lambda v: _generate(seconds=v), "5"),
        "prefix": Place(lambda v: _generate(prefix=v), "None"),
        "tracks": Place(lambda v: _generate(tracks=v), "None"),
        "seed": Place(lambda v: _generate(seed=v), "5", "-1", "10^400"),
        "sampling": Place(lambda v: _generate(sampling=v), "None"),
        "guidance_scale": Place(
            lambda v: _generate(guidance_scale=v), "None", "5", "-1", "1e30"
        ),
        "interventions": Place(lambda v: _generate(interventions=v), "[]"),
        "position_offset": Place(lambda v: _generate(position_offset=v), "5"),
        "capture": Place(lambda v: _generate(capture=v), "None", "[]", "{}"),
    },
    "HookedMusicGen.encode_audio": {"audio": Place(_method("model", "encode_audio"))},
    "HookedMusicGen.decode_audio": {"codes": Place(_method("model", "decode_audio"))},
    "HookedMusicGen.check_codes": {"codes": Place(_method("model", "check_codes"))},
    "HookedMusicGen.condition": {
        "prompts": Place(lambda v: made().model.condition(v, 1), "None", "x", "NUL"),
        "rows": Place(lambda v: made().model.condition("x", v), "5", "10^400"),
    },
    "HookedMusicGen.count_from": {"position": Place(_method("model", "count_from"), "5")},
    "HookedMusicGen.to": {
        "device": Place(lambda v: made().model.to(device=v), "None"),
        "dtype": Place(lambda v: made().model.to(dtype=v), "None"),
    },
    "HookedMusicGen.positions": {"steps": Place(_method("model", "positions"), "5")},
    "HookedMusicGen.positions_from": {
        "first": Place(lambda v: made().model.positions_from(v, 5)),
        "steps": Place(lambda v: made().model.positions_from([0], v), "5"),
    },
    "Intervention": {
        "site": Place(lambda v: _changed(site=v)),
        "change": Place(lambda v: _changed(change=v)),
        "tensor": Place(lambda v: _changed(tensor=v)),
        "strength": Place(lambda v: _changed(strength=v), "5", "-1", "1e30"),
        "rows": Place(lambda v: _changed(rows=v), "None"),
        "steps": Place(lambda v: _changed(steps=v), "None"),
        "frames": Place(lambda v: _changed(frames=v), "None"),
        "half": Place(lambda v: _changed(half=v)),
        "what a function returns": Place(lambda v: _changed(change=lambda x: v, tensor=None)),
    },
    "Replayable": {"function": Place(leitmotif.Replayable)},
    "Sampling": {
        "temperature": Place(lambda v: leitmotif.Sampling(temperature=v), "5", "1e30"),
        "top_k": Place(lambda v: leitmotif.Sampling(top_k=v), "None", "5", "10^400"),
        "top_p": Place(lambda v: leitmotif.Sampling(top_p=v), "None"),
    },
    "ActivationCache": {"tensors": Place(leitmotif.ActivationCache, "{}")},
    "ActivationCache.at_frames": {
        "frames": Place(lambda v: made().captured.at_frames(SITE, v)),
    },
    "ActivationStore": {"root": Place(leitmotif.ActivationStore)},
    "load_sae": {
        "folder": Place(leitmotif.load_sae),
        "device": Place(lambda v: leitmotif.load_sae("nowhere", device=v)),
    },
    "SparseAutoencoder": {"config": Place(leitmotif.SparseAutoencoder)},
    "SparseAutoencoder.encode": {"x": Place(_method("sae", "encode"))},
    "SparseAutoencoder.reconstruct": {"x": Place(_method("sae", "reconstruct"))},
    "SparseAutoencoder.decode": {"codes": Place(_method("sae", "decode"))},
    "SparseAutoencoder.read": {
        "x": Place(lambda v: made().sae.read(v, [1])),
        "features": Place(lambda v: made().sae.read(STREAM[0], v), "[]", "no number"),
    },
    "compose": {
        "pieces": Place(leitmotif.compose, "5"),
        "seed": Place(lambda v: leitmotif.compose(1, seed=v), "5", "10^400"),
        "world": Place(lambda v: leitmotif.compose(1, world=v)),
    },
    "expand": {
        "controls": Place(leitmotif.expand),
        "groups": Place(lambda v: leitmotif.expand(TABLE, groups=v), "None"),
    },
    "load_audio": {
        "path": Place(lambda v: leitmotif.load_audio(v, sample_rate=32_000)),
        **{
            name: Place(
                lambda v, n=name: leitmotif.load_audio("x", **{"sample_rate": 32_000, n: v})
            )
            for name in ("sample_rate", "start_seconds", "seconds")
        },
    },
    "propose": {
        "audio": Place(lambda v: leitmotif.propose(v, 32_000), "[]", "no number"),
        "a path": Place(leitmotif.propose),
        "sample_rate": Place(lambda v: leitmotif.propose(SOUND, v)),
        "search": Place(lambda v: leitmotif.propose(SOUND[:99], 32_000, search=v), "None"),
        "p": Place(lambda v: leitmotif.propose(SOUND[:99], 32_000, p=v)),
        "false_per_minute": Place(
            lambda v: leitmotif.propose(SOUND[:99], 32_000, false_per_minute=v), "5", "1e30"
        ),
    },
    "listen": {
        "audio": Place(lambda v: leitmotif.listen(v, 32_000)),
        "sample_rate": Place(lambda v: leitmotif.listen(SOUND, v)),
    },
    "plot_waveform": {
        "audio": Place(lambda v: leitmotif.plot_waveform(v, 32_000), "[]", "no number"),
        "sample_rate": Place(lambda v: leitmotif.plot_waveform(SOUND, v)),
    },
    "plot_similarity": {"audio": Place(lambda v: leitmotif.plot_similarity(v, 32_000))},
    "plot_activations": {
        "activations": Place(lambda v: leitmotif.plot_activations(v, 50)),
        "units": Place(lambda v: leitmotif.plot_activations(TABLE, 50, units=v), "None"),
    },
    "plot_attention": {
        "pattern": Place(lambda v: leitmotif.plot_attention(v, 50)),
        "head": Place(lambda v: leitmotif.plot_attention(np.ones((2, 3, 3)), 50, head=v), "None"),
        "tokens": Place(
            lambda v: leitmotif.plot_attention(np.ones((2, 3, 3)), 50, tokens=v), "None"
        ),
    },
    "Clap": {"loaded": Place(lambda v: leitmotif.Clap(v, "x", batch_size=1))},
    "Tagger": {"loaded": Place(lambda v: leitmotif.Tagger(v, "x", batch_size=1))},
    "GREEDY": {},
}  # fmt: skip
PROBES = {
    "NestedRidge": ("folds", "permutations", "refits"),
    "PartialEffects": ("folds", "permutations", "shifts", "refits", "alpha"),
    "NaiveCorrelation": (),
}
"""scikit-learn's conventions hold for these: they raise ValueError and TypeError too."""


def _refusals(call: Callable[[Any], Any], fits: tuple[str, ...], *also: type[Exception]) -> int:
    """Count what is refused by name; fails where something else is accepted or raised."""
    count = 0
    for label, value in ODD.items():
        if label in fits:
            continue
        with pytest.raises((LeitmotifError, *also)):
            pytest.fail(f"{label} is accepted: {call(value())!r:.100}")
        count += 1
    return count


NAMED = {f"{name}: {argument}": p for name, ps in PLACES.items() for argument, p in ps.items()}


@pytest.mark.fault(
    "public functions",
    "each argument: other types, numbers out of range, tensors without numbers to read",
    outcome="LeitmotifError",
)
@pytest.mark.parametrize("name", NAMED)
def test_each_argument_is_checked(name: str, record_property: Callable[[str, int], None]) -> None:
    record_property("inputs", _refusals(NAMED[name].call, NAMED[name].fits))


@pytest.mark.fault(
    "public functions",
    "each argument: other types, numbers out of range, tensors without numbers to read",
    outcome="LeitmotifError",
)
@pytest.mark.parametrize("judge", ["Clap", "Tagger"])
def test_each_argument_of_a_judge_is_checked(
    judge: str, judges: SimpleNamespace, record_property: Callable[[str, int], None]
) -> None:
    kind, folder = getattr(leitmotif, judge), judges.places[judge == "Tagger"]
    one, clap, tagger = np.ones((1, judges.clap.width)), judges.clap, judges.tagger
    places = {
        "from_pretrained": Place(kind.from_pretrained),
        "revision": Place(lambda v: kind.from_pretrained(folder, revision=v), "None"),
        "device": Place(lambda v: kind.from_pretrained("nowhere", device=v)),
        "dtype": Place(lambda v: kind.from_pretrained("nowhere", dtype=v)),
        **({
            "embed_audio": Place(lambda v: clap.embed_audio(v, 32_000)),
            "embed_text": Place(clap.embed_text),
            "logits": Place(lambda v: clap.logits(v, one)),
            "text": Place(lambda v: clap.logits(one, v)),
        } if judge == "Clap" else {
            "logits": Place(lambda v: tagger.logits(v, 32_000)),
            "probabilities": Place(lambda v: tagger.probabilities(v, 32_000)),
            "indices": Place(tagger.indices, "[]"),
        }),
    }  # fmt: skip
    assert _methods(kind) <= {f"{judge}.{name}" for name in places}
    record_property("inputs", sum(_refusals(p.call, p.fits) for p in places.values()))


@pytest.mark.fault(
    "public functions",
    "each argument: other types, numbers out of range, tensors without numbers to read",
    outcome="LeitmotifError",
)
@pytest.mark.parametrize("name", PROBES)
def test_each_argument_of_a_probe_is_checked(
    name: str, record_property: Callable[[str, int], None]
) -> None:
    kind = getattr(leitmotif, name)
    tables = ("X", "y", *(("controls", "groups") if PROBES[name] else ()))
    fast = {"permutations": 2, "refits": 2} if PROBES[name] else {}
    count = 0
    for table in tables:
        fits = ("None",) if name == "NestedRidge" and table in ("controls", "groups") else ()
        call = lambda v, n=table: _fit(kind(**fast), **{n: v})  # noqa: E731
        count += _refusals(call, fits, ValueError, TypeError)
    for setting in PROBES[name]:
        fits = ("5", *(["None"] if (name, setting) == ("PartialEffects", "permutations") else []))
        count += _refusals(_settings(kind, setting), fits, ValueError, TypeError)
    record_property("inputs", count)


def test_no_public_function_is_left_out() -> None:
    named = {name.partition(".")[0] for name in PLACES} | set(PROBES)
    assert set(leitmotif.__all__) <= named
    judged = {"Clap", "Tagger", *PROBES}
    classes = [getattr(leitmotif, n) for n in leitmotif.__all__ if n not in judged]
    methods = set().union(*(_methods(kind) for kind in classes if inspect.isclass(kind)))
    assert methods - set(PLACES) == {
        # tried with a store, in tests/store; or of no argument that a caller makes up
        *(f"ActivationStore.{name}" for name in ("header", "items", "load", "tracks")),
        "SparseAutoencoder.preactivations",
        *(f"Intervention.{name}" for name in ("acts_in", "in_steps", "overlaps", "touches")),
    }


def _methods(kind: type) -> set[str]:
    """Public methods with arguments, of this package's own classes."""
    return {
        f"{kind.__name__}.{name}"
        for name, method in inspect.getmembers(kind, callable)
        if not name.startswith("_")
        and getattr(method, "__module__", "").startswith("leitmotif.")
        and set(inspect.signature(method).parameters) - {"self"}
    }


def test_what_has_no_room_in_memory_is_refused_before_any_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _generate(seconds=1.0)
    monkeypatch.setattr("leitmotif.musicgen.room.memory_here", lambda: 10_000)
    with pytest.raises(LeitmotifError, match="no room for so much music"):
        _generate(seconds=1.0)
    monkeypatch.setattr("leitmotif.notebook.pieces.memory_here", lambda: 3 * 1_064_960)
    assert len(leitmotif.compose(3)) == 3
    with pytest.raises(LeitmotifError, match="at most 3"):
        leitmotif.compose(4)
