"""How a model builds up musical concepts layer by layer: the experiments of ISMIR 2024.

After Vélez Vásquez et al., "Exploring the inner mechanisms of large generative music models".
"""
