"""How the organisms and their judges are made, from world.json and concepts.json alone.

Run from models/organism, where dvc.yaml describes it: ``python -m training.codec`` and so on. The
pipeline in the repository's root uses the shipped weights and never trains.
"""

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
WORLD = FOLDER / "world.json"
"""What the language models are trained on."""
VARIED = FOLDER / "varied.json"
"""All that the codec can code: the same with returns of every kind."""
CODEC = FOLDER / "codec"
WORK = FOLDER / "work"
"""Checkpoints of runs, and replicates; not kept in git."""
REPLICATES = FOLDER / "replicates.json"
CONCEPT_WORLD = FOLDER / "concepts.json"
CONCEPTS = FOLDER / "concepts"
CONCEPTS_PLANTED = FOLDER / "concepts_planted"
"""Where one MLP alone writes the instrument."""
