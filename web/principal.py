"""Who makes a request, and what that allows: the one thing that routes ask of authentication."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from flask import g

from worker.jobs.job import DEFAULT_TENANT, JobRef

Scope = Literal["submit", "read", "admin"]

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
"""``submit`` makes and ends jobs, ``read`` sees them, ``admin`` sees the operator's figures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """On whose behalf a request is served.

    Attributes
    ----------
    tenant : str
        Whose jobs it sees. Another tenant's job is to it as if it did not exist.
    scopes : frozenset of str
    key_id : str or None
        The key that it came by, itself or by way of a session or a share link; None where no keys
        are configured.
    only_job : str or None
        The one job that a share link shows.
    """

    tenant: str
    scopes: frozenset[Scope]
    key_id: str | None = None
    only_job: str | None = None

    def ref(self, job_id: str) -> JobRef:
        """Return the reference of a job with this id, as far as this principal can have any."""
        return JobRef(self.tenant, job_id)


# Where no keys are configured: everything but what is the operator's alone.
ANONYMOUS = Principal(tenant=DEFAULT_TENANT, scopes=frozenset({"submit", "read"}))


def principal() -> Principal:
    """Return who makes the current request; ``web.auth`` has found it out before any view runs."""
    return cast("Principal", g.principal)


def scopes_of(names: Iterable[str]) -> frozenset[Scope]:
    """Read scopes by name.

    Raises
    ------
    ValueError
        Naming one that does not exist.
    """
    found = frozenset(names)
    if unknown := found.difference(SCOPES):
        raise ValueError(f"no such scope: {min(unknown)}; those that exist: {', '.join(SCOPES)}")
    return cast("frozenset[Scope]", found)
