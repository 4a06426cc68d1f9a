"""Fetches an image that a request names by its URL, from the hosts that the operator allows.

Off unless there are any. A client chooses what the front end asks for, so the host has to be one
of them, and all that is refused to webhooks is refused here too: the URL, every address of the
host, and a connection to any address but the checked ones. Redirects are not followed, nothing is
decompressed, and no proxy is taken from the environment. What the client is told of a failure
holds no address.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

import httpcore
import structlog

from web.errors import ImageTooLarge, InvalidRequest, TooManyFetches
from worker.webhooks.addresses import AddressRefused, BadWebhookUrl, Policy, Target, check_url
from worker.webhooks.network import (
    MAX_ANSWER_BYTES,
    AnswerTooLarge,
    CheckedNetwork,
    Deadline,
    Resolver,
    Unresolved,
    exchange,
    system_resolver,
)

POINTER = "/image/url"
TIMEOUT_S = 10.0
_HEADERS = {"User-Agent": "Limelight", "Accept": "image/*", "Accept-Encoding": "identity"}
_log = structlog.get_logger("web.fetching")


class ImageFetcher:
    """Fetches images for requests.

    Parameters
    ----------
    hosts : collection of str
        From where, in small letters; ``.example.org`` means its subdomains too.
    policy_of : callable
        What the operator allows beyond public addresses over https, by tenant.
    most_bytes : int
        Size of the largest image.
    at_once : int
        How many are fetched at a time. Each holds a thread that others wait for.
    tls : ssl.SSLContext
        Whom to trust.
    timeout_s : float
        For all of it, from resolving to the last byte.
    resolve : callable
        From host and port to addresses.
    """

    def __init__(
        self,
        *,
        hosts: Collection[str],
        policy_of: Callable[[str], Policy],
        most_bytes: int,
        at_once: int,
        tls: ssl.SSLContext,
        timeout_s: float = TIMEOUT_S,
        resolve: Resolver = system_resolver,
    ) -> None:
        self._hosts = hosts
        self._policy_of = policy_of
        self._most_bytes = most_bytes
        self._places = threading.BoundedSemaphore(at_once)
        self._tls = tls
        self._timeout_s = timeout_s
        self._resolve = resolve

    def fetch(self, url: str, *, tenant: str) -> bytes:
        """Return what is at the URL, not looked at yet.

        Raises
        ------
        InvalidRequest
            If it may not be asked for, or did not come.
        ImageTooLarge
        TooManyFetches
        """
        policy = self._policy_of(tenant)
        target = self._checked(url, policy)
        with self._place(), self._told(target):
            deadline = Deadline(self._timeout_s)
            network = CheckedNetwork(
                target,
                policy,
                self._resolve,
                deadline,
                most_bytes=self._most_bytes + MAX_ANSWER_BYTES,
            )
            with exchange("GET", target, network, tls=self._tls, headers=_HEADERS) as answer:
                return self._read(answer)

    def _checked(self, url: str, policy: Policy) -> Target:
        if not self._hosts:
            raise InvalidRequest.at(
                POINTER,
                "cannot be used: the operator has not allowed any hosts to fetch images from; "
                "send the image itself as base64",
            )
        try:
            target = check_url(url, policy)
        except BadWebhookUrl as error:
            raise InvalidRequest.at(POINTER, error.reason) from error
        if not _is_named(target.host, self._hosts):
            raise InvalidRequest.at(
                POINTER, "must be at a host that the operator allows to fetch images from"
            )
        return target

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise TooManyFetches
        try:
            yield
        finally:
            self._places.release()

    @contextmanager
    def _told(self, target: Target) -> Iterator[None]:
        """Tell the client what came of it; the log as well, without the path, which may be secret.

        The causes of network errors hold addresses, and stay here.
        """
        try:
            yield
        except AnswerTooLarge:
            raise self._too_large() from None
        except (
            AddressRefused, Unresolved, httpcore.TimeoutException, httpcore.NetworkError,
            httpcore.ProtocolError,
        ) as error:  # fmt: skip
            _log.info("image not fetched", host=target.host, reason=type(error).__name__)
            raise InvalidRequest.at(POINTER, self._why(error)) from None

    def _why(self, error: Exception) -> str:
        if isinstance(error, AddressRefused):
            return "must not lead to an internal address or one of special purpose"
        if isinstance(error, Unresolved):
            return "names a host that was not found"
        if isinstance(error, httpcore.TimeoutException):
            return f"did not deliver the image within {self._timeout_s:g} s"
        if isinstance(error.__cause__, ssl.SSLError):
            return "could not be fetched: TLS failed, or the server's certificate is not trusted"
        return "could not be fetched: the connection was refused, broken off, or spoke no HTTP"

    def _read(self, answer: httpcore.Response) -> bytes:
        """Read the body of an answer, counting: a length that is announced may be wrong."""
        headers = {name.lower(): value for name, value in answer.headers}
        _check_head(answer.status, headers)
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > self._most_bytes:
            raise self._too_large()
        data = bytearray()
        for piece in answer.iter_stream():
            data += piece
            if len(data) > self._most_bytes:
                raise self._too_large()
        return bytes(data)

    def _too_large(self) -> ImageTooLarge:
        return ImageTooLarge.at(POINTER, f"leads to more than {self._most_bytes} bytes")


def _check_head(status: int, headers: Mapping[bytes, bytes]) -> None:
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise InvalidRequest.at(POINTER, "leads to a redirect, and these are not followed")
    if status != HTTPStatus.OK:
        raise InvalidRequest.at(POINTER, f"was answered with status {status} instead of an image")
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise InvalidRequest.at(POINTER, "was answered in a compressed form that was not asked for")


def _is_named(host: str, names: Collection[str]) -> bool:
    return any(
        host == name.removeprefix(".") or (name.startswith(".") and host.endswith(name))
        for name in names
    )
