"""Sparse autoencoders: formats, alignment declared and measured, training, encoding."""
