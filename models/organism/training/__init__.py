"""How the organism's codec and language models are made, from models/organism/world.json alone.

Run from models/organism, where dvc.yaml describes it: ``python -m training.codec`` and so on. The
pipeline in the repository's root uses the shipped weights and never trains.
"""

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1]
WORLD = FOLDER / "world.json"
CODEC = FOLDER / "codec"
