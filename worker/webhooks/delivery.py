"""One try at a delivery: resolve, check, connect to what was checked, send, look at the status.

requests-hardened was weighed for this. It pins the address and keeps SNI and Host, but looks at
only the first address of a name, cannot be given networks or hosts to allow nor a resolver, and
has neither a total deadline nor a byte cap: what it decides would have to be decided once more.
httpcore, which httpx brings, asks a network backend for its connections, so ``network`` can check
and bound them all in one place. It follows no redirect, decompresses nothing, keeps no cookies,
and reads no proxy from the environment.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus

import httpcore

from worker.webhooks.addresses import (
    AddressRefused,
    BadWebhookUrl,
    Policy,
    Target,
    check_url,
)
from worker.webhooks.network import (
    AnswerTooLarge,
    CheckedNetwork,
    Deadline,
    Resolver,
    Unresolved,
    exchange,
    system_resolver,
)
from worker.webhooks.schedule import Outcome, retry_after


class Sender:
    """Makes tries.

    Parameters
    ----------
    tls : ssl.SSLContext
        Whom to trust.
    timeout_s : float
        For a whole try, from resolving to the end of the answer's headers.
    resolve : callable
        From host and port to addresses.
    """

    def __init__(
        self, *, tls: ssl.SSLContext, timeout_s: float, resolve: Resolver = system_resolver
    ) -> None:
        self._tls = tls
        self._timeout_s = timeout_s
        self._resolve = resolve

    def send(self, url: str, body: bytes, *, headers: Mapping[str, str], policy: Policy) -> Outcome:
        """Post the body and tell what came of it; whatever a receiver does is an outcome."""
        deadline = Deadline(self._timeout_s)
        try:
            # The rules may have changed since the job was accepted.
            target = check_url(url, policy)
            return self._post(target, body, headers, policy, deadline)
        except (BadWebhookUrl, AddressRefused, Unresolved) as error:
            return _not_called(error)
        except httpcore.TimeoutException:
            detail = f"There was no complete answer within {self._timeout_s:g} s."
            return Outcome(error="timeout", detail=detail)
        except (httpcore.NetworkError, httpcore.ProtocolError, AnswerTooLarge) as error:
            return _broken(error)

    def _post(
        self,
        target: Target,
        body: bytes,
        headers: Mapping[str, str],
        policy: Policy,
        deadline: Deadline,
    ) -> Outcome:
        network = CheckedNetwork(target, policy, self._resolve, deadline)
        sent = {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **headers,
        }
        with exchange("POST", target, network, tls=self._tls, headers=sent, body=body) as response:
            return _judge(response.status, dict(response.headers))


def _judge(status: int, headers: Mapping[bytes, bytes]) -> Outcome:
    """Tell from status and headers what came of a try that was answered."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Outcome(status_code=status)
    redirected = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    names = {name.lower(): value.decode("latin-1") for name, value in headers.items()}
    return Outcome(
        status_code=status,
        error="redirect" if redirected else "status",
        detail="Redirects are not followed." if redirected else None,
        retry_after_s=retry_after(names.get(b"retry-after"), now=datetime.now(UTC)),
    )


def _not_called(error: Exception) -> Outcome:
    """Tell why no connection was tried."""
    if isinstance(error, BadWebhookUrl):
        return Outcome(error="bad-url", detail=f"The URL {error.reason}.")
    if isinstance(error, AddressRefused):
        return Outcome(error="address-refused", detail=str(error))
    return Outcome(error="unresolved", detail="The name of the host was not found.")


def _broken(error: Exception) -> Outcome:
    """Tell how a connection failed, without addresses, which the causes hold."""
    if isinstance(error, AnswerTooLarge):
        return Outcome(error="answer-too-large", detail="The answer has too many headers.")
    if isinstance(error.__cause__, ssl.SSLError):
        reason = getattr(error.__cause__, "verify_message", "") or error.__cause__.reason
        return Outcome(error="tls", detail=f"TLS failed: {reason or 'the connection was cut'}.")
    if isinstance(error, httpcore.ProtocolError):
        return Outcome(error="bad-answer", detail="The answer is not HTTP, or was cut off.")
    return Outcome(error="unreachable", detail="The connection was refused or broken off.")
