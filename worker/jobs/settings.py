"""What web and worker both need to know: where the jobs are kept, and the times they live by."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from worker.jobs.environment import EnvironmentSettings


class StoreSettings(EnvironmentSettings):
    """Settings of the store, the blobs and the queue; ``LIMELIGHT_`` and the name in capitals."""

    # Both addresses may hold a password, so neither is shown when the settings are logged.
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        repr=False,
        pattern=r"^(rediss?|unix)://",
        description="Redis, which keeps the jobs and carries the queue.",
    )
    blob_url: str = Field(
        "redis:",
        repr=False,
        pattern=r"^(redis:$|file:///|s3://)",
        description="Where images and pictures are kept: redis:, file:///path or s3://bucket/prefix.",
    )
    tenants_file: Path | None = Field(
        None, description="TOML file with what each tenant may do; all have the defaults without."
    )
    retention_s: int = Field(
        86_400, ge=60, description="How long a job is kept after it has ended, unless it asks less."
    )
    lease_s: float = Field(
        30.0, ge=0.5, le=300, description="How long a worker that went silent keeps its job."
    )
    job_limit_s: float = Field(600.0, gt=0, description="How long one attempt at a job may take.")
    soft_shutdown_s: float = Field(
        10.0, gt=0, description="How long jobs may take to be handed back when a worker is stopped."
    )
    child_jobs: int = Field(
        200, ge=1, description="Jobs after which a worker process is replaced by a fresh one."
    )
    child_memory_mb: int = Field(
        1500, ge=200, description="Resident size above which it is replaced after its job."
    )

    @model_validator(mode="after")
    def _limit_outlives_lease(self) -> StoreSettings:
        if self.job_limit_s < self.lease_s:
            raise ValueError("job_limit_s must not be shorter than lease_s")
        return self
