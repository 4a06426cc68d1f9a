"""The Python client, both ways, against the whole service."""

from __future__ import annotations

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import skimage
from PIL import Image

from limelight import (
    AsyncClient,
    Client,
    Conflict,
    Gone,
    IdempotencyMismatch,
    InvalidImage,
    InvalidRequest,
    Job,
    JobFailed,
    NotFound,
    NotMade,
    UnknownModel,
    UnsupportedImage,
)
from tests.support import pictures

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

CAT = Path(skimage.__file__).parent / "data" / "chelsea.png"
QUICK = {"samples": 128, "stopping": "fixed"}


@pytest.fixture(scope="module")
def client(service_url):
    with Client(service_url) as client:
        yield client


@pytest.fixture(scope="module")
def done(client) -> Job:
    return client.explain(
        CAT,
        classes=["tiger cat", 285],
        options={**QUICK, "seed": 7},
        overlays=["signed", {"style": "sheet", "format": "webp"}],
        metadata={"ticket": "4711"},
        timeout_s=120,
    )


def test_a_finished_job_is_typed(done):
    assert done.succeeded
    assert [item.class_index for item in done.explanations] == [282, 285]
    assert done.explanations[1].class_name == "Egyptian cat"
    assert len(done.predictions) == 5
    assert done.model.version == 1
    assert done.created_at < done.started_at < done.finished_at < done.expires_at
    assert done.metadata == {"ticket": "4711"}
    left, top, right, bottom = done.explanations[0].top_segments[0].bbox
    assert 0 <= left < right <= 451
    assert 0 <= top < bottom <= 300


def test_pictures_and_evidence_are_fetched(client, done):
    assert Image.open(io.BytesIO(client.overlay(done, 285, "signed"))).format == "PNG"
    assert Image.open(io.BytesIO(client.overlay(done, 282, "sheet"))).format == "WEBP"
    with pytest.raises(NotMade, match="285 signed"):
        client.overlay(done, 285, "heatmap")
    evidence = client.attributions(done)
    strongest = done.explanations[1].top_segments[0]
    found = next(item for item in evidence.classes if item.class_index == 285)
    assert found.attributions[strongest.segment] == pytest.approx(strongest.attribution)
    assert Image.open(io.BytesIO(client.segments(done))).size == (451, 300)
    assert client.image(done) == CAT.read_bytes()


def test_progress_is_seen_on_the_way(client):
    job = client.submit(CAT, options={"samples": 256, "stopping": "fixed", "seed": 11})
    seen = list(client.watch(job, timeout_s=120))
    assert seen[-1].succeeded
    counts = [item.progress.samples_done for item in seen]
    assert counts == sorted(counts)
    assert len(set(counts)) > 2


def test_one_key_gives_one_job_whoever_sends_it(client):
    options = {**QUICK, "seed": 13}
    with ThreadPoolExecutor(8) as pool:
        jobs = list(
            pool.map(
                lambda _: client.submit(CAT, options=options, idempotency_key="one-key"), range(8)
            )
        )
    assert len({job.id for job in jobs}) == 1
    with pytest.raises(IdempotencyMismatch):
        client.submit(CAT, options={**QUICK, "seed": 14}, idempotency_key="one-key")


def test_refusals_are_of_their_kind(client):
    with pytest.raises(UnknownModel):
        client.submit(CAT, model="none")
    with pytest.raises(InvalidRequest) as caught:
        client.submit(CAT, options={"samples": "many"})
    assert caught.value.fields[0].pointer.startswith("/options")
    with pytest.raises(UnsupportedImage):
        client.submit(b"GIF89a not one of ours")
    with pytest.raises(InvalidImage):
        client.submit(b"")
    with pytest.raises(NotFound):
        client.get("exp_" + "0" * 32)


def test_a_job_that_fails_says_why(client):
    flat = pictures.encoded(Image.new("RGB", (300, 200), "grey"))
    with pytest.raises(JobFailed) as caught:
        client.explain(flat, options={"segmentation": "felzenszwalb"}, timeout_s=120)
    assert caught.value.problem.slug == "image-too-uniform"
    assert caught.value.problem.retryable is False


def test_jobs_are_listed_canceled_and_erased(client, done):
    assert done.id in {job.id for job in client.jobs(status="succeeded", page_size=1)}
    with pytest.raises(Conflict):
        client.cancel(done)
    job = client.submit(CAT, options={"samples": 1000, "stopping": "fixed", "seed": 17})
    client.cancel(job)
    assert list(client.watch(job, timeout_s=60))[-1].status in ("canceled", "succeeded")
    client.delete(job)
    with pytest.raises(Gone):
        client.get(job)


def test_models_are_shown(client):
    (model,) = client.models()
    assert (model.state, model.class_count) == ("available", 1000)
    assert client.model(model.name).labels[285] == "Egyptian cat"


def test_many_at_once_by_asyncio(service_url):
    async def explain_all() -> list[Job]:
        async with AsyncClient(service_url) as client:
            jobs = [
                client.explain(CAT, options={**QUICK, "seed": seed}, timeout_s=120)
                for seed in range(21, 25)
            ]
            return await asyncio.gather(*jobs)

    jobs = asyncio.run(explain_all())
    assert all(job.succeeded for job in jobs)
    assert [job.samples["seed"] for job in jobs] == [21, 22, 23, 24]
