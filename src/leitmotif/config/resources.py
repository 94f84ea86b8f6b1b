"""Settings of what a run may use of a machine. They decide no result."""

from typing import Annotated

from pydantic import Field

from leitmotif.config.section import Settings

UNWATCHED = frozenset({"execution", "resources"})
"""Sections of params.yaml that decide no result: no stage depends on them, so that a change of one
makes nothing stale."""


class ResourcesParams(Settings):
    """What a stage may use; ``rows`` that are ``auto`` follow from it (``work.budget``)."""

    memory_gb: Annotated[float, Field(ge=1)]
    """Gigabytes (10^9 bytes) of memory, of all processes of a stage; on a Dask cluster of each
    worker. Where the machine has less, that counts."""
    gpu_memory_gb: Annotated[float, Field(ge=1)]
    """Gigabytes of a GPU's memory; likewise."""
