"""``limelight webhooks``: what was told of a job; on your own machine, what a receiver gets."""

from __future__ import annotations

import click

from limelight.cli.listener import LOOPBACK, Received, listening
from limelight.cli.output import Output, printable
from limelight.cli.session import Session, connected, json_option
from limelight.deliveries import Delivery, DeliveryLog

_HEADS = ("event", "state", ">tries", "last answer", "next try")
SECRET_VARIABLE = "LIMELIGHT_WEBHOOK_SECRET"  # noqa: S105 - The name of a variable.


@click.group()
def webhooks() -> None:
    """Callbacks."""


@webhooks.command()
@click.option("--port", type=click.IntRange(0, 65535), default=9000, show_default=True)
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    envvar=SECRET_VARIABLE,
    help=f"whsec_...; several while they are rotated. [{SECRET_VARIABLE}]",
)
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many.")
@json_option
def listen(*, output: Output, port: int, secrets: tuple[str, ...], count: int | None) -> None:
    """Print callbacks that come to a port of this machine, and check their signatures.

    The service calls this machine only if its operator allows the address (webhook_hosts).
    """
    with listening(port, secrets=secrets) as listener:
        address = f"http://{LOOPBACK}:{listener.port}/"
        if output.is_json:
            output.document({"listening": address})
        output.note(f"Listening at {address} until Ctrl-C.")
        if not secrets:
            output.note("Without --secret, signatures are not checked.")
        for number, received in enumerate(listener.received(), start=1):
            _show(output, received)
            if number == count:
                return


@webhooks.command()
@click.argument("job_id", metavar="ID")
@connected()
def log(*, session: Session, job_id: str) -> None:
    """Show what the webhook of a job was told."""
    with session.client() as client:
        _show_log(session.output, client.deliveries(job_id))


@webhooks.command()
@click.argument("job_id", metavar="ID")
@connected()
def redeliver(*, session: Session, job_id: str) -> None:
    """Tell the webhook of a job the latest event once more."""
    with session.client() as client:
        _show_log(session.output, client.redeliver(job_id))


def _show_log(output: Output, found: DeliveryLog) -> None:
    if output.is_json:
        output.document(found.raw)
        return
    output.note(found.url)
    output.table(_HEADS, map(_row, found.deliveries))


def _row(delivery: Delivery) -> tuple[str, ...]:
    last = delivery.attempts[-1] if delivery.attempts else None
    answer = "-" if last is None else last.detail or last.error or str(last.status_code)
    due = delivery.next_try_at
    return (
        delivery.event,
        delivery.state,
        str(len(delivery.attempts)),
        answer,
        "-" if due is None else f"{due:%Y-%m-%d %H:%M:%S}Z",
    )


def _show(output: Output, received: Received) -> None:
    if output.is_json:
        output.document(
            {
                "verified": received.is_verified,
                "problem": received.problem,
                "id": received.id,
                "event": None if received.event is None else received.event.raw,
            }
        )
        return
    mark = {True: "verified", False: "REJECTED", None: "unchecked"}[received.is_verified]
    event = received.event
    if event is None:
        told = received.problem or ""
    else:
        told = f"{event.type}  {event.job_id or '-'}  {event.data.get('status', '')}"
    click.echo(printable(f"{mark:9}  {told}"))
