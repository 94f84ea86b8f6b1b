"""Settings of where work is done, which decide no result."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from leitmotif.config.section import Settings


class ExecutionParams(Settings):
    """Which processes share the work of a stage.

    Results are the same bytes wherever they are computed, so a change here makes none of them stale
    (``config.UNWATCHED``).
    """

    engine: Literal["local", "dask"]
    """``local``: processes of this machine. ``dask``: a Dask cluster; see docs/cluster.md."""
    address: str | None
    """Address of the scheduler, such as ``tcp://10.0.0.5:8786``, or path of its scheduler file."""
    workers: Annotated[int | None, Field(ge=1)]
    """On this machine: number of processes, null for one per processor; LEITMOTIF_WORKERS overrides
    it. With Dask: number of workers that a stage waits for before it gives out work; null: one."""

    @field_validator("address")
    @classmethod
    def _of_a_scheduler(cls, address: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("engine") == "dask" and not address:
            raise ValueError(
                "the engine dask needs the address of a scheduler, such as tcp://10.0.0.5:8786, or "
                "the path of its scheduler file"
            )
        return address
