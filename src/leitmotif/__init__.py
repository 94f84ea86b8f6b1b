"""Leitmotif: do autoregressive music models foresee long-horizon structure?"""

__version__ = "0.1.0"
