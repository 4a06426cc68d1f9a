"""The options that every command has, and the clients that they make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import click

from limelight.async_client import AsyncClient
from limelight.cli.output import Output
from limelight.client import Client
from limelight.retry import RetryPolicy
from limelight.settings import HEADERS_VARIABLE, KEY_VARIABLE, URL_VARIABLE, read_header

RETRY_FOR_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """What the command is made of; tests give their own."""

    client: Callable[..., Client] = Client
    async_client: Callable[..., AsyncClient] = AsyncClient


@dataclass(frozen=True, kw_only=True)
class Session:
    """One run of a command.

    Attributes
    ----------
    output : Output
    url, api_key : str or None
        None takes the environment's.
    headers : sequence of pairs
        Beside the environment's.
    retry_for_s : float
        How long calls are tried again.
    """

    output: Output
    url: str | None
    api_key: str | None = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(repr=False)
    retry_for_s: float
    wiring: Wiring

    def client(self) -> Client:
        """Make a client."""
        return self.wiring.client(self.url, **self._asked())

    def async_client(self) -> AsyncClient:
        """Make a client for asyncio."""
        return self.wiring.async_client(self.url, **self._asked())

    def _asked(self) -> dict[str, Any]:
        retry = RetryPolicy(deadline_s=self.retry_for_s)
        return {"api_key": self.api_key, "headers": self.headers, "retry": retry}


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--json`` and pass an ``output``."""

    @click.option("--json", "is_json", is_flag=True, help="One JSON object a line, for programs.")
    @wraps(command)
    def with_output(*arguments: Any, is_json: bool, **named: Any) -> Any:
        return command(*arguments, output=Output(is_json=is_json), **named)

    return with_output


def connected(
    *, retry_for_s: float = RETRY_FOR_S
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options of a command that talks to the service, and pass a ``session``.

    Parameters
    ----------
    retry_for_s : float
        How long calls are tried again where the user says nothing.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        return _with_options(command, retry_for_s)

    return decorate


def _with_options(command: Callable[..., Any], retry_default_s: float) -> Callable[..., Any]:
    @click.option("--url", help=f"Address of the service. [{URL_VARIABLE}]")
    @click.option(
        "--api-key",
        help=f"API key. Others on this machine can see it; rather set {KEY_VARIABLE}.",
    )
    @click.option(
        "--header",
        "headers",
        multiple=True,
        metavar="'NAME: VALUE'",
        callback=lambda _context, _option, lines: [read_header(line) for line in lines],
        help="Send this with every call, for a proxy before the service; may be given again. "
        f"Others on this machine can see it; secrets rather in {HEADERS_VARIABLE}, one a line.",
    )
    @click.option(
        "--retry-for",
        "retry_for_s",
        type=click.FloatRange(min=0),
        default=retry_default_s,
        show_default=True,
        metavar="SECONDS",
        help="How long to try again when the service is busy or away.",
    )
    @json_option
    @wraps(command)
    def with_session(
        *,
        url: str | None,
        api_key: str | None,
        headers: Sequence[tuple[str, str]],
        retry_for_s: float,
        output: Output,
        **named: Any,
    ) -> Any:
        session = Session(
            output=output,
            url=url,
            api_key=api_key,
            headers=headers,
            retry_for_s=retry_for_s,
            wiring=click.get_current_context().find_object(Wiring) or Wiring(),
        )
        return command(session=session, **named)

    return with_session
