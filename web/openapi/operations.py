"""What is said of every route, by its endpoint. A route that is not here fails a test."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from web.access_api import SignIn
from web.documents import Live, Model, ModelList, ProblemPage, Ready, SessionView
from web.openapi.job_operations import JOB_OPERATIONS
from web.openapi.parts import JSON, MALFORMED, Answer, Body, Example, Operation
from web.openapi.webhook_operations import WEBHOOK_OPERATIONS

_MODELS = "Models"
_SESSIONS = "Signing in"
_SERVICE = "The service"

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {
        **JOB_OPERATIONS,
        **WEBHOOK_OPERATIONS,
        "api.list_models": Operation(
            id="listModels",
            tag=_MODELS,
            summary="List the models",
            description="As the workers last saw them, without their class names.",
            answers={200: Answer(description="The models.", body=ModelList)},
        ),
        "api.show_model": Operation(
            id="getModel",
            tag=_MODELS,
            summary="Get a model and its class names",
            answers={200: Answer(description="The model.", body=Model)},
            problems=("not-found",),
        ),
        "access.sign_in": Operation(
            id="signIn",
            tag=_SESSIONS,
            summary="Exchange a key for a session",
            description="For browsers, where pictures and event streams cannot send a key.",
            body=Body(
                content={JSON: SignIn},
                examples={"key": Example(summary="A key", value={"key": "ll_..."})},
            ),
            answers={
                200: Answer(
                    description="Who is signed in.", body=SessionView, headers=("Set-Cookie",)
                )
            },
            problems=(
                MALFORMED,
                "unauthorized",
                "invalid-request",
                "payload-too-large",
                "unsupported-media-type",
                "unavailable",
            ),
        ),
        "access.who_am_i": Operation(
            id="getSession",
            tag=_SESSIONS,
            summary="Tell who makes this request",
            answers={200: Answer(description="On whose behalf it is served.", body=SessionView)},
        ),
        "access.sign_out": Operation(
            id="signOut",
            tag=_SESSIONS,
            summary="End the session",
            answers={204: Answer(description="There is none any more.", headers=("Set-Cookie",))},
            problems=("forbidden", "unavailable"),
        ),
        "health.live": Operation(
            id="isLive",
            tag=_SERVICE,
            summary="Tell whether the process is up",
            answers={200: Answer(description="It is.", body=Live)},
        ),
        "health.ready": Operation(
            id="isReady",
            tag=_SERVICE,
            summary="Tell whether jobs can be accepted",
            answers={200: Answer(description="They can.", body=Ready)},
            problems=("unavailable",),
        ),
        "metrics.scrape": Operation(
            id="getMetrics",
            tag=_SERVICE,
            summary="Get the operator's figures",
            description="In Prometheus's format, or OpenMetrics where Accept asks for it.",
            answers={
                200: Answer(
                    description="The figures.", media=("text/plain", "application/openmetrics-text")
                )
            },
        ),
        "pages.openapi": Operation(
            id="getOpenapi",
            tag=_SERVICE,
            summary="Get this document",
            headers=("If-None-Match",),
            answers={
                200: Answer(description="The document.", body=dict, headers=("ETag",)),
                304: Answer(description="As it was.", headers=("ETag",)),
            },
        ),
        "pages.docs": Operation(
            id="getDocs",
            tag=_SERVICE,
            summary="Read this document",
            answers={200: Answer(description="A page.", media=("text/html",))},
        ),
        "pages.asset": Operation(
            id="getAsset",
            tag=_SERVICE,
            summary="Get what the pages need",
            answers={
                200: Answer(
                    description="The file.", media=("text/css", "text/javascript", "image/svg+xml")
                )
            },
            problems=("not-found",),
        ),
        "pages.problem": Operation(
            id="getProblemType",
            tag=_SERVICE,
            summary="Read what to do about a problem",
            answers={
                200: Answer(
                    description="The advice, for programs or for people, as Accept asks for.",
                    body=ProblemPage,
                    media=("text/html",),
                )
            },
            problems=("not-found",),
        ),
    }
)
