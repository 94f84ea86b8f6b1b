"""Sparse autoencoders: formats, alignment declared and measured, training, encoding."""

from leitmotif.sae.formats import load_sae, save_sae
from leitmotif.sae.model import Codes, SaeConfig, SparseAutoencoder

__all__ = ["Codes", "SaeConfig", "SparseAutoencoder", "load_sae", "save_sae"]
