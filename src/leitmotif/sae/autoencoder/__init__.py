"""Sparse autoencoders, their formats and registry, declared alignment, and encoding."""

from leitmotif.sae.autoencoder.codes import Codes
from leitmotif.sae.autoencoder.formats import load_sae, save_sae
from leitmotif.sae.autoencoder.model import SaeConfig, SparseAutoencoder

__all__ = ["Codes", "SaeConfig", "SparseAutoencoder", "load_sae", "save_sae"]
