"""Paths that lead nowhere, wrong methods, and a wrong host."""

from __future__ import annotations

from tests.support.bad_input.case import EXPLANATIONS, BadInput

_UNKNOWN = "exp_" + "0" * 32


def of_path(name, path, status=404, slug="not-found", **more):
    return BadInput(name=name, status=status, slug=slug, method="GET", path=path, **more)


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
]
