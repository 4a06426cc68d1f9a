"""The client and the service are written apart; here is seen that they speak of the same things."""

from __future__ import annotations

import dataclasses

import pytest

from limelight import calls, deliveries, evidence, models, problems, trust
from web import documents, job_documents, schemas, trust_documents, webhook_documents

# Paths are followed by methods of the client.
NOT_READ = {"links"}
ANSWERS = [
    (job_documents.Job, models.Job),
    (job_documents.JobModel, models.JobModel),
    (job_documents.Progress, models.Progress),
    (job_documents.Prediction, models.Prediction),
    (job_documents.Explanation, models.Explanation),
    (trust_documents.ResultWarning, trust.ResultWarning),
    (trust_documents.Trust, trust.Trust),
    (trust_documents.TrustReason, trust.TrustReason),
    (job_documents.Fidelity, models.Fidelity),
    (job_documents.TopSegment, models.Segment),
    (job_documents.Failure, problems.Problem),
    (documents.Problem, problems.Problem),
    (documents.FieldProblem, problems.FieldError),
    (documents.Model, models.Model),
    (documents.Attributions, evidence.Attributions),
    (documents.ClassAttributions, evidence.ClassAttributions),
    (webhook_documents.WebhookLog, deliveries.DeliveryLog),
    (webhook_documents.Delivery, deliveries.Delivery),
    (webhook_documents.Attempt, deliveries.Attempt),
]


@pytest.mark.parametrize(("answered", "read"), ANSWERS, ids=lambda kind: kind.__name__)
def test_the_client_reads_every_member_of_an_answer(answered, read):
    fields = {field.name for field in dataclasses.fields(read)}
    assert set(answered.__annotations__) - fields - NOT_READ == set()


def test_the_client_can_say_every_field_of_a_request():
    assert set(schemas.JobFields.model_fields) - set(calls.JobFields.__annotations__) == set()
