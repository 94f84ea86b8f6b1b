"""The pipeline's stages, one module each: read params, call the library, write outs.

``python -m leitmotif.stages NAME`` is what dvc.yaml runs, in the repository's root.
"""
