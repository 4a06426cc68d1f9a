"""What each tenant may do: read from a TOML file, the same for web and workers.

    [defaults]
    rate_limit = "600/minute"

    [tenants.acme]
    queue_limit = 50

A tenant that the file does not name has the defaults.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from worker.jobs.job import is_tenant

_RATE = r"[1-9][0-9]{0,8}/(second|minute|hour|day)"


class TenantsError(Exception):
    """The file cannot be used. Every problem is told, a line each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class TenantSettings(BaseModel):
    """What one tenant may do."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rate_limit: str = Field(
        "6000/minute",
        pattern=rf"^{_RATE}(;{_RATE})*$",
        description="How many requests may make or change something: 60/minute, or several with "
        "semicolons between.",
    )
    queue_limit: int = Field(10_000, ge=1, description="Most jobs that have not ended.")
    retention_s: int | None = Field(
        None,
        ge=60,
        description="Retention of a job that asks for none; the service's if unset.",
    )
    max_retention_s: int | None = Field(
        None, ge=60, description="Longest that a request may ask for; the service's if unset."
    )
    webhook_hosts: tuple[str, ...] = Field(
        (),
        strict=False,
        description="Internal hosts or networks that callbacks of this tenant may go to.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Tenants:
    """The settings of all tenants."""

    defaults: TenantSettings = field(default_factory=TenantSettings)
    named: Mapping[str, TenantSettings] = field(default_factory=dict)

    def of(self, tenant: str) -> TenantSettings:
        """Return the settings of a tenant; the defaults of one that is not named."""
        return self.named.get(tenant, self.defaults)


def load_tenants(file: Path | None) -> Tenants:
    """Read the file; without one every tenant has the defaults.

    Raises
    ------
    TenantsError
        With every problem in it.
    """
    if file is None:
        return Tenants()
    document = _read(file)
    problems = [
        f"{file.name}: unknown key {key!r}; write [defaults] and [tenants.<name>]"
        for key in document.keys() - {"defaults", "tenants"}
    ]
    common, wrong = _settings(document.get("defaults", {}))
    problems += [f"{file.name}: [defaults] {problem}" for problem in wrong]
    named = {}
    for name, table in _tables(document):
        if not is_tenant(name):
            wrong = ["is no tenant's name: a-z, 0-9, - and _, 63 at most"]
        elif not isinstance(table, dict):
            wrong = ["must be a table"]
        else:
            # What the tenant does not say itself is as the defaults say.
            named[name], wrong = _settings({**common.model_dump(exclude_unset=True), **table})
        problems += [f"{file.name}: [tenants.{name}] {problem}" for problem in wrong]
    if problems:
        raise TenantsError(tuple(problems))
    return Tenants(defaults=common, named=named)


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        problem = (
            f"The tenants file {file} cannot be read ({error.strerror}): create it, or set "
            "LIMELIGHT_TENANTS_FILE to where it is."
        )
        raise TenantsError((problem,)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TenantsError((f"{file.name} is not valid TOML: {error}.",)) from error


def _tables(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    tables = document.get("tenants", {})
    # A value in the place of the tables is told like one in the place of a single table.
    yield from tables.items() if isinstance(tables, dict) else [("name", tables)]


def _settings(table: Any) -> tuple[TenantSettings, list[str]]:
    """Return the settings in a table and what is wrong with it."""
    try:
        return TenantSettings.model_validate(table), []
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        return TenantSettings(), [
            f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in found
        ]
