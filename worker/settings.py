"""Everything an operator can set for a worker, read from the environment once, at the start."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from worker.jobs import redis_url
from worker.jobs.settings import StoreSettings
from worker.telemetry.endpoint import Address, checked


def _processors() -> int:
    # What this process may use, which in a container is less than what the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class WorkerSettings(StoreSettings):
    """Settings of ``limelight-worker``; each is ``LIMELIGHT_`` and its name in capitals."""

    models_file: Path = Field(
        Path("models.toml"), description="The profiles of the models that may be explained."
    )
    concurrency: int = Field(
        default_factory=_processors, ge=1, le=256, description="Jobs at a time, one process each."
    )
    queues: Annotated[tuple[str, ...], NoDecode] = Field(
        ("interactive", "bulk"), description="Queues to take jobs from, separated by commas."
    )
    worker_name: str = Field(
        default_factory=socket.gethostname, description="How this worker is shown to operators."
    )
    catalogue_interval_s: float = Field(
        10.0, gt=0, description="How often the model servers are asked what they serve."
    )
    sweep_interval_s: float = Field(
        1.0, gt=0, description="How often jobs are looked for that nobody works on."
    )
    worker_metrics_bind: str | None = Field(
        None, description="host:port at which metrics are answered; they are off without."
    )
    reuse_results: bool = Field(
        True, description="Whether jobs of a tenant that need the same work share its result."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("worker_metrics_bind")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        return checked(value)

    @property
    def metrics_address(self) -> Address | None:
        """``worker_metrics_bind`` in its parts."""
        return None if self.worker_metrics_bind is None else Address.parse(self.worker_metrics_bind)

    @field_validator("queues", mode="before")
    @classmethod
    def _from_commas(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("queues")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(value) - {"interactive", "bulk"})
        if unknown or not value:
            raise ValueError(f"queues are 'interactive' and 'bulk', not {', '.join(unknown)!r}")
        return value

    def masked(self) -> dict[str, Any]:
        """Return the settings as they may be logged: addresses without user and password."""
        shown = self.model_dump(mode="json")
        shown["redis_url"] = redis_url.parse(self.redis_url).shown
        return {**shown, "blob_url": _bare(self.blob_url)}


def _bare(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
