"""Measured alignment: which site an autoencoder belongs to, and what a reconstruction costs."""
