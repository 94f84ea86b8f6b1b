"""Where an experiment stands: what is set, done and decided, for how many tracks, and what is next.

Everything comes from small tables, ``dvc.lock`` and settings, in a second or two. Nothing here
raises for what a repository lacks: a person asks this when something is missing.
"""
