"""What web and worker both need to know: where the jobs are kept, and the times they live by."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator, model_validator

from worker.jobs import redis_url
from worker.jobs.environment import EnvironmentSettings

# A job looks at its own limit between batches. Past that comes an exception wherever it is, and
# past that the end of its process: for what hangs in C code.
SOFT_LIMIT_MARGIN_S = 5.0
HARD_LIMIT_MARGIN_S = 30.0
# Jobs hand themselves back within ``soft_shutdown_s``. Celery's own soft shutdown comes after
# that, and sleeps for the whole of its time even if nothing runs any more: so it gets little.
SOFT_SHUTDOWN_S = 1.0


class StoreSettings(EnvironmentSettings):
    """Settings of the store, the blobs and the queue; ``LIMELIGHT_`` and the name in capitals."""

    # Both addresses may hold a password, so neither is shown when the settings are logged.
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        repr=False,
        description="Redis, which keeps the jobs and carries the queue.",
    )
    blob_url: str = Field(
        "redis:",
        repr=False,
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
    visibility_timeout_s: int | None = Field(
        None,
        ge=1,
        description="How long the queue hides a message that a worker has; made to fit if unset.",
    )
    child_jobs: int = Field(
        200, ge=1, description="Jobs after which a worker process is replaced by a fresh one."
    )
    child_memory_mb: int = Field(
        1500, ge=200, description="Resident size above which it is replaced after its job."
    )

    @field_validator("redis_url")
    @classmethod
    def _is_a_redis(cls, value: str) -> str:
        redis_url.parse(value)
        return value

    @field_validator("blob_url")
    @classmethod
    def _is_a_place_for_blobs(cls, value: str) -> str:
        if value != "redis:" and not value.startswith(("file:///", "s3://")):
            raise ValueError("must be redis:, file:///path or s3://bucket/prefix")
        return value

    @property
    def longest_hold_s(self) -> float:
        """The longest that a worker can have a message, in seconds."""
        job = self.job_limit_s + HARD_LIMIT_MARGIN_S
        return job + self.soft_shutdown_s + SOFT_SHUTDOWN_S

    @property
    def message_hidden_s(self) -> int:
        """``visibility_timeout_s``, or what it is if unset."""
        return self.visibility_timeout_s or int(self.longest_hold_s) + 60

    @model_validator(mode="after")
    def _times_fit(self) -> StoreSettings:
        if self.job_limit_s < self.lease_s:
            raise ValueError(
                f"LIMELIGHT_LEASE_S ({self.lease_s:g}) must not be longer than "
                f"LIMELIGHT_JOB_LIMIT_S ({self.job_limit_s:g}), or a job could end before its "
                "worker is missed"
            )
        if self.message_hidden_s < self.longest_hold_s:
            raise ValueError(
                f"LIMELIGHT_VISIBILITY_TIMEOUT_S ({self.visibility_timeout_s}) must be "
                f"{self.longest_hold_s:g} or more, which is LIMELIGHT_JOB_LIMIT_S, "
                "LIMELIGHT_SOFT_SHUTDOWN_S and a margin, or a message would be delivered again "
                "while its job runs"
            )
        return self
