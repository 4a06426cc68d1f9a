"""``limelight webhooks secret``: rotate the secrets that sign webhooks, and name the valid ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from pydantic import ValidationError

from worker.jobs.connection import connect
from worker.jobs.environment import problems_of
from worker.jobs.errors import JobsError, StoreFull, StoreRefuses
from worker.jobs.job import DEFAULT_TENANT, is_tenant
from worker.jobs.settings import StoreSettings
from worker.webhooks.signing import Secret, SecretStore


def _tenant(_context: click.Context, _option: click.Parameter, name: str) -> str:
    if not is_tenant(name):
        raise click.BadParameter(f"{name!r} is no tenant's name: a-z, 0-9, - and _, 63 at most.")
    return name


_tenant_option = click.option(
    "--tenant",
    default=DEFAULT_TENANT,
    show_default=True,
    callback=_tenant,
    help="Whose webhooks it signs.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def webhooks() -> None:
    """Callbacks."""


@webhooks.group()
def secret() -> None:
    """Rotate and list signing secrets (needs LIMELIGHT_REDIS_URL)."""


@secret.command()
@_tenant_option
@_json_option
def rotate(tenant: str, as_json: bool) -> None:
    """Make a new secret. It is shown once.

    From now on webhooks are signed with it and with the one before it, so that receivers can be
    changed one after another. Rotate again only when all of them have the new one: that ends the
    old one.
    """
    with _secrets() as store:
        made = store.rotate(tenant, now=datetime.now(UTC))
        valid = store.valid(tenant)
    if as_json:
        ids = [other.id for other in valid]
        click.echo(json.dumps({"secret": made.text, **_view(made), "valid": ids}))
        return
    # The secret alone on standard output, so that it can be piped to where secrets are kept.
    click.echo(f"Secret {made.id} of tenant {tenant}. It is not shown again:", err=True)
    click.echo(made.text)
    for other in valid[1:]:
        click.echo(f"Secret {other.id} stays valid until the next rotation.", err=True)


@secret.command("show-ids")
@_tenant_option
@_json_option
def show_ids(tenant: str, as_json: bool) -> None:
    """Name the valid secrets, newest first, without showing them."""
    with _secrets() as store:
        valid = store.valid(tenant)
    if as_json:
        click.echo(json.dumps({"secrets": [_view(one) for one in valid]}))
        return
    for one in valid:
        click.echo(f"{one.id}  made {_view(one)['created_at']}")


@contextmanager
def _secrets() -> Iterator[SecretStore]:
    try:
        settings = StoreSettings()
    except ValidationError as error:
        raise click.ClickException(" ".join(problems_of(error))) from error
    try:
        with connect(settings) as redis:
            yield SecretStore(redis)
    except (StoreRefuses, StoreFull) as error:
        raise click.ClickException(f"{error.problem}.") from error
    except JobsError as error:
        # Without the address, which may hold a password.
        raise click.ClickException("Redis cannot be used (LIMELIGHT_REDIS_URL).") from error


def _view(one: Secret) -> dict[str, str]:
    made = datetime.fromtimestamp(one.created_at, UTC)
    return {"id": one.id, "created_at": f"{made:%Y-%m-%dT%H:%M:%SZ}"}


if __name__ == "__main__":
    webhooks(prog_name="limelight webhooks")
