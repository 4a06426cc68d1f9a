"""Limelight, for the programs that use it.

from limelight import Client

with Client("http://127.0.0.1:8000") as client:
    job = client.explain("cat.jpg", classes=3)
    picture = client.overlay(job, job.explanations[0].class_index, "signed")
"""

from limelight.async_client import AsyncClient
from limelight.calls import ImageSource, JobFields
from limelight.client import Client
from limelight.deliveries import Attempt, Delivery, DeliveryLog
from limelight.errors import (
    BadAnswer,
    BadSettings,
    BadWebhookUrl,
    Conflict,
    Forbidden,
    Gone,
    IdempotencyMismatch,
    ImageRefused,
    InvalidImage,
    InvalidRequest,
    JobCanceled,
    JobExpired,
    JobFailed,
    LimelightError,
    NotFound,
    NotMade,
    PayloadTooLarge,
    QueueFull,
    RateLimited,
    Refused,
    ServerError,
    ServiceUnreachable,
    TooManyPixels,
    Unauthorized,
    Unavailable,
    UnknownClass,
    UnknownModel,
    UnsupportedImage,
    WaitedTooLong,
    WebhookRejected,
)
from limelight.evidence import Attributions, ClassAttributions
from limelight.models import (
    Explanation,
    Fidelity,
    Job,
    JobModel,
    Model,
    Prediction,
    Progress,
    Segment,
)
from limelight.problems import FieldError, Problem
from limelight.retry import RetryPolicy
from limelight.trust import ResultWarning, Trust, TrustReason
from limelight.webhooks import WebhookEvent, verify_webhook

__all__ = [
    "AsyncClient",
    "Attempt",
    "Attributions",
    "BadAnswer",
    "BadSettings",
    "BadWebhookUrl",
    "ClassAttributions",
    "Client",
    "Conflict",
    "Delivery",
    "DeliveryLog",
    "Explanation",
    "Fidelity",
    "FieldError",
    "Forbidden",
    "Gone",
    "IdempotencyMismatch",
    "ImageRefused",
    "ImageSource",
    "InvalidImage",
    "InvalidRequest",
    "Job",
    "JobCanceled",
    "JobExpired",
    "JobFailed",
    "JobFields",
    "JobModel",
    "LimelightError",
    "Model",
    "NotFound",
    "NotMade",
    "PayloadTooLarge",
    "Prediction",
    "Problem",
    "Progress",
    "QueueFull",
    "RateLimited",
    "Refused",
    "ResultWarning",
    "RetryPolicy",
    "Segment",
    "ServerError",
    "ServiceUnreachable",
    "TooManyPixels",
    "Trust",
    "TrustReason",
    "Unauthorized",
    "Unavailable",
    "UnknownClass",
    "UnknownModel",
    "UnsupportedImage",
    "WaitedTooLong",
    "WebhookEvent",
    "WebhookRejected",
    "verify_webhook",
]
