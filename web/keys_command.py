"""``limelight keys``: make, list and revoke API keys. Also ``python -m web.keys_command``."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import click
from pydantic import ValidationError

from web.job_view import timestamp
from web.keys import KeyInfo, KeyStore, UnknownKey
from web.principal import SCOPES, scopes_of
from worker.jobs.connection import connect
from worker.jobs.environment import problems_of
from worker.jobs.errors import JobsError, StoreFull, StoreRefuses
from worker.jobs.job import DEFAULT_TENANT
from worker.jobs.settings import StoreSettings

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _seconds(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    """Read a time such as 90d."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,4})([smhd])", text)
    if match is None:
        raise click.BadParameter(f"{text!r} is no time: write 90d, 12h, 30m or 45s.")
    return timedelta(**{_UNITS[match[2]]: int(match[1])}).total_seconds()


@click.group()
def keys() -> None:
    """Make, list and revoke API keys (needs LIMELIGHT_REDIS_URL)."""


@keys.command()
@click.option("--tenant", default=DEFAULT_TENANT, show_default=True, help="Whose key it is.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    default=("submit", "read"),
    show_default=True,
    help="What it allows; may be given several times.",
)
@click.option(
    "--expires-in",
    callback=_seconds,
    metavar="TIME",
    help="90d, 12h; it never expires if not given.",
)
@click.option("--name", default="", help="A note of what it is for.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create(
    tenant: str, scopes: tuple[str, ...], expires_in: float | None, name: str, as_json: bool
) -> None:
    """Make a key. It is shown once."""
    with _store() as store:
        try:
            text, info = store.create(
                tenant=tenant, scopes=scopes_of(scopes), expires_in_s=expires_in, name=name
            )
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
    if as_json:
        click.echo(json.dumps({"key": text, **_view(info)}))
        return
    # The key alone on standard output, so that it can be piped to where secrets are kept.
    click.echo(f"Key {info.id} of tenant {info.tenant}. It is not shown again:", err=True)
    click.echo(text)


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_keys(as_json: bool) -> None:
    """List all keys, also those that are no longer good."""
    with _store() as store:
        found = store.all()
    if as_json:
        click.echo(json.dumps({"keys": [_view(info) for info in found]}))
        return
    for info in found:
        parts = (info.id, info.tenant, ",".join(sorted(info.scopes)), _state(info), info.name)
        click.echo("  ".join(parts).rstrip())


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Revoke a key by its id. Processes notice within five seconds."""
    with _store() as store:
        try:
            info = store.revoke(key_id)
        except UnknownKey as error:
            raise click.ClickException(f"{error}. `limelight keys list` shows all.") from error
    click.echo(f"Key {info.id} of tenant {info.tenant} is revoked.")


@contextmanager
def _store() -> Iterator[KeyStore]:
    try:
        settings = StoreSettings()
    except ValidationError as error:
        raise click.ClickException(" ".join(problems_of(error))) from error
    try:
        with connect(settings) as redis:
            yield KeyStore(redis)
    except (StoreRefuses, StoreFull) as error:
        raise click.ClickException(f"{error.problem}.") from error
    except JobsError as error:
        # Without the address, which may hold a password.
        raise click.ClickException("Redis cannot be used (LIMELIGHT_REDIS_URL).") from error


def _state(info: KeyInfo) -> str:
    """Say until when a key is or was good."""
    if info.revoked_at is not None:
        return f"revoked {timestamp(info.revoked_at)}"
    if info.expires_at is None:
        return "never expires"
    word = "expires" if info.is_valid(time.time()) else "expired"
    return f"{word} {timestamp(info.expires_at)}"


def _view(info: KeyInfo) -> dict[str, Any]:
    return {
        "id": info.id,
        "name": info.name,
        "tenant": info.tenant,
        "scopes": sorted(info.scopes),
        "created_at": timestamp(info.created_at),
        "expires_at": timestamp(info.expires_at),
        "revoked_at": timestamp(info.revoked_at),
    }


if __name__ == "__main__":
    keys(prog_name="limelight keys")
