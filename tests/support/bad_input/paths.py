"""Paths that lead nowhere, wrong methods, and a wrong host."""

from __future__ import annotations

from tests.support.bad_input.case import EXPLANATIONS, BadInput

_UNKNOWN = "exp_" + "0" * 32


_JOB = f"{EXPLANATIONS}/{_UNKNOWN}"


def of_path(name, path, status=404, slug="not-found", **more):
    return BadInput(name=name, status=status, slug=slug, method="GET", path=path, **more)


def of_query(name, query, pointer):
    path = f"{EXPLANATIONS}?{query}"
    return of_path(name, path, 422, "invalid-request", pointer=pointer)


PATHS = [
    of_path("unknown id", f"{EXPLANATIONS}/{_UNKNOWN}"),
    of_path("id that climbs", f"{EXPLANATIONS}/../../etc/passwd"),
    of_path("id that climbs, escaped", f"{EXPLANATIONS}/..%2F..%2Fetc%2Fpasswd"),
    of_path("10 kB id", f"{EXPLANATIONS}/{'x' * 10_000}"),
    of_path("id in capitals", f"{EXPLANATIONS}/{_UNKNOWN.upper()}"),
    of_path("overlay of an unknown job", f"{EXPLANATIONS}/{_UNKNOWN}/overlays/285/signed.png"),
    of_path("attributions of an unknown job", f"{EXPLANATIONS}/{_UNKNOWN}/attributions.json"),
    of_path("segments of an unknown job", f"{EXPLANATIONS}/{_UNKNOWN}/segments.png"),
    of_path("image of an unknown job", f"{EXPLANATIONS}/{_UNKNOWN}/image"),
    of_path("events of an unknown job", f"{_JOB}/events"),
    BadInput(name="cancel an unknown job", status=404, slug="not-found", path=f"{_JOB}/cancel"),
    BadInput(name="share an unknown job", status=404, slug="not-found", path=f"{_JOB}/share"),
    BadInput(name="erase an unknown job", status=404, slug="not-found", method="DELETE", path=_JOB),
    of_query("unknown status", "status=done", "/status"),
    of_query("limit of 0", "limit=0", "/limit"),
    of_query("limit that is no number", "limit=many", "/limit"),
    of_query("limit of 5,000 digits", f"limit={'9' * 5_000}", "/limit"),
    of_query("cursor that nobody gave out", "cursor=AAAA", "/cursor"),
    of_query("cursor beyond ASCII", "cursor=%C3%A4%ED%A0%80", "/cursor"),
    of_query("NUL in a query", "model=a%00b", "/model"),
    of_query("parameter twice", "limit=1&limit=2", "/limit"),
    of_query("unknown parameter", "page=2", "/page"),
    of_path("unknown path", "/v1/nothing"),
    of_path("unknown model", "/v1/models/x", says="Those that exist"),
    of_path("model that climbs", "/v1/models/..%2F..%2Fx"),
    of_path("unknown problem", "/problems/x"),
    of_path(
        "untrusted Host",
        "/v1/models",
        400,
        "invalid-request",
        headers={"Host": "evil.example"},
    ),
    BadInput(name="wrong method", status=405, slug="method-not-allowed", method="PUT"),
    BadInput(
        name="wrong method on a model",
        status=405,
        slug="method-not-allowed",
        method="DELETE",
        path="/v1/models",
    ),
    BadInput(
        name="sign in by a form",
        status=415,
        slug="unsupported-media-type",
        path="/session",
        body=b"key=x",
        content_type="application/x-www-form-urlencoded",
    ),
    BadInput(
        name="sign in without a key",
        status=422,
        slug="invalid-request",
        path="/session",
        body=b"{}",
        content_type="application/json",
        pointer="/key",
    ),
    BadInput(
        name="sign in with a wrong key",
        status=401,
        slug="unauthorized",
        path="/session",
        body=b'{"key": "ll_000000000000_A"}',
        content_type="application/json",
    ),
    BadInput(
        name="sign in with 20 kB",
        status=413,
        slug="payload-too-large",
        path="/session",
        body=b" " * 20_000,
        content_type="application/json",
    ),
]
