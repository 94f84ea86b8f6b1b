"""Whether tracks and labels suffice for what is set, and which settings they would suffice for.

Everything follows from the manifest, the labels and the settings. No audio is read, and no model.
"""
