"""Stage ``sae``: encode the activations, and measure whether each autoencoder is on its site."""

from leitmotif.config import Params
from leitmotif.files import atomic_folder, write_json, write_table
from leitmotif.pipeline import ACTIVATIONS, ALIGNMENT, CORPUS, METRICS, SAE, WORK_CACHE
from leitmotif.sae.audit.study import SaeStudy
from leitmotif.sae.autoencoder.used import load_used
from leitmotif.stages.plots import write_plots
from leitmotif.stages.tracks import tracks_with_activations
from leitmotif.store.reading import ActivationStore
from leitmotif.views.sae import metrics_of, plot_of


def sae(params: Params) -> None:
    """Write data/sae, data/alignment.jsonl, metrics/sae.json and plots/sae.csv."""
    study = SaeStudy(
        params=params,
        used=load_used(
            params.sae.hooks,
            dtype=params.model.dtype_beside,
            device=params.model.device,
            several_a_site=True,
        ),
        store=ActivationStore(ACTIVATIONS),
        tracks=tracks_with_activations(),
        audio_root=CORPUS,
        cache=WORK_CACHE,
    )
    with atomic_folder(SAE) as out:
        encoded = study.encode(out)
    rows = study.rows(encoded)
    write_table(ALIGNMENT, rows)
    write_json(METRICS / "sae.json", metrics_of(rows))
    write_plots({"sae": plot_of(rows)})
