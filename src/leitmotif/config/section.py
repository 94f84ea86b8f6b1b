"""What all sections of params.yaml have in common."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Base of every section: immutable, and strict about unknown keys and types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def is_hub_id(name: str) -> bool:
    """Whether a setting names a repository of the hub: no folder here, and ``OWNER/NAME``."""
    return not Path(name).exists() and name.count("/") == 1
