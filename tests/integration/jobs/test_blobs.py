"""Blobs in each place where they can be kept."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import redis
from moto.server import ThreadedMotoServer

from tests.support.records import Bench
from worker.jobs.blobs import MAX_JOB_BYTES_IN_REDIS, Blobs, open_blobs
from worker.jobs.errors import BlobMissing, JobTooLarge, StoreUnavailable
from worker.jobs.job import JobRef, artifact_key, upload_key, upload_segments_key
from worker.jobs.keys import Keys

pytestmark = pytest.mark.integration

MB = 2**20


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """An S3-compatible server on loopback, with a bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ALLOW_HTTP", "true")
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_REGION", "us-east-1")
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="limelight")
        yield "s3://limelight/jobs"
    server.stop()


@pytest.fixture(params=["redis", "folder", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        return str(request.getfixturevalue("bucket"))
    return "redis:" if request.param == "redis" else f"file://{tmp_path}/blobs"


@pytest.fixture
def blobs(url: str, client: redis.Redis) -> Blobs:
    return open_blobs(url, client)


def test_what_is_put_is_got(blobs: Blobs) -> None:
    ref = JobRef.new()
    data = bytes(range(256)) * 4000
    blobs.put(upload_key(ref), data)
    blobs.put(upload_segments_key(ref), b"")
    assert blobs.get(upload_key(ref)) == data
    assert blobs.get(upload_segments_key(ref)) == b""


def test_putting_again_replaces(blobs: Blobs) -> None:
    key = upload_key(JobRef.new())
    blobs.put(key, b"first, and longer")
    blobs.put(key, b"second")
    assert blobs.get(key) == b"second"


def test_attempts_do_not_overwrite_each_other(blobs: Blobs) -> None:
    ref = JobRef.new()
    for fence in (1, 2):
        blobs.put(artifact_key(ref, fence, "overlays/285/signed.png"), b"%d" % fence)
    assert blobs.get(artifact_key(ref, 1, "overlays/285/signed.png")) == b"1"


def test_what_is_not_there_is_missing(blobs: Blobs) -> None:
    ref = JobRef.new()
    with pytest.raises(BlobMissing):
        blobs.get(upload_key(ref))
    blobs.put(upload_key(ref), b"x")
    with pytest.raises(BlobMissing):
        blobs.get(artifact_key(ref, 1, "attributions.json"))
    with pytest.raises(BlobMissing):
        blobs.get(upload_key(JobRef("other", ref.id)))


@pytest.mark.parametrize(
    "name", ["../image", "upload/../../x", "/etc/passwd", "a//b", ".x", "", "a\n"]
)
def test_a_key_that_leads_elsewhere_names_nothing(blobs: Blobs, name: str) -> None:
    key = f"{JobRef.new()}/{name}"
    with pytest.raises(BlobMissing):
        blobs.get(key)
    with pytest.raises(ValueError, match="not a blob key"):
        blobs.put(key, b"x")


def test_erasing_one_job_leaves_the_others(blobs: Blobs, client: redis.Redis) -> None:
    gone, kept = JobRef.new(), JobRef.new()
    for ref in (gone, kept):
        blobs.put(upload_key(ref), b"image")
        blobs.put(artifact_key(ref, 1, "overlays/285/signed.png"), b"picture")
    blobs.erase(str(gone))
    blobs.erase(str(gone))
    for key in (upload_key(gone), artifact_key(gone, 1, "overlays/285/signed.png")):
        with pytest.raises(BlobMissing):
            blobs.get(key)
    assert blobs.get(upload_key(kept)) == b"image"
    assert list(client.scan_iter(f"*{gone.id}*")) == []


def test_blobs_stay_until_their_last_owner_lets_go(blobs: Blobs) -> None:
    maker, follower = JobRef.new(), JobRef.new()
    blobs.put(upload_key(maker), b"image")
    blobs.retain(maker, owner=follower)
    blobs.release(maker, owner=maker)
    assert blobs.get(upload_key(maker)) == b"image"
    blobs.release(maker, owner=maker)
    assert blobs.get(upload_key(maker)) == b"image"
    blobs.release(maker, owner=follower)
    with pytest.raises(BlobMissing):
        blobs.get(upload_key(maker))


def test_what_was_let_go_cannot_be_retained(blobs: Blobs) -> None:
    maker = JobRef.new()
    with pytest.raises(BlobMissing):
        blobs.retain(maker, owner=JobRef.new())
    blobs.put(upload_key(maker), b"image")
    blobs.release(maker, owner=maker)
    with pytest.raises(BlobMissing):
        blobs.retain(maker, owner=JobRef.new())


def test_a_reader_sees_all_of_a_blob_or_none(url: str, client: redis.Redis) -> None:
    blobs, key = open_blobs(url, client), upload_key(JobRef.new())
    versions = [bytes([number]) * MB for number in range(4)]
    blobs.put(key, versions[0])
    writing = threading.Thread(
        target=lambda: [blobs.put(key, versions[number % 4]) for number in range(12)]
    )
    writing.start()
    seen = []
    while writing.is_alive():
        seen.append(blobs.get(key))
    writing.join()
    assert seen
    assert all(data in versions for data in seen)


def test_blobs_without_a_record_are_known_until_the_record_comes(
    blobs: Blobs, bench: Bench
) -> None:
    abandoned, recorded = JobRef.new(), JobRef.new()
    for ref in (abandoned, recorded):
        blobs.put(upload_key(ref), b"image")
    bench.create(recorded)
    blobs.put(artifact_key(recorded, 1, "segments.png"), b"map")
    assert bench.store.unowned(older_than_s=0, limit=10) == [abandoned]
    assert bench.store.unowned(older_than_s=60, limit=10) == []
    blobs.release(abandoned, owner=abandoned)
    assert bench.store.unowned(older_than_s=0, limit=10) == []


def test_one_job_keeps_at_most_32_mb_in_redis(client: redis.Redis) -> None:
    blobs, ref = open_blobs("redis:", client), JobRef.new()
    blobs.put(upload_key(ref), b"x" * (20 * MB))
    blobs.put(artifact_key(ref, 1, "segments.png"), b"x" * (12 * MB))
    with pytest.raises(JobTooLarge, match="32 MB in Redis"):
        blobs.put(artifact_key(ref, 1, "attributions.json"), b"x")
    # A replaced blob does not count twice.
    blobs.put(artifact_key(ref, 1, "segments.png"), b"y" * (12 * MB))
    with pytest.raises(BlobMissing):
        blobs.get(artifact_key(ref, 1, "attributions.json"))
    assert client.hlen(Keys("limelight").blobs(ref)) == 2


def test_what_a_lost_attempt_left_makes_room_for_the_next(client: redis.Redis) -> None:
    blobs, ref = open_blobs("redis:", client), JobRef.new()
    blobs.put(upload_key(ref), b"x" * (16 * MB))
    blobs.put(artifact_key(ref, 1, "segments.png"), b"1" * (12 * MB))
    blobs.put(artifact_key(ref, 2, "segments.png"), b"2" * (12 * MB))
    assert blobs.get(artifact_key(ref, 2, "segments.png"))[:1] == b"2"
    assert len(blobs.get(upload_key(ref))) == 16 * MB
    with pytest.raises(BlobMissing):
        blobs.get(artifact_key(ref, 1, "segments.png"))
    with pytest.raises(JobTooLarge):
        blobs.put(artifact_key(ref, 1, "segments.png"), b"1" * (12 * MB))


def test_a_blob_larger_than_any_job_may_keep_is_refused_whole(client: redis.Redis) -> None:
    blobs, ref = open_blobs("redis:", client), JobRef.new()
    with pytest.raises(JobTooLarge):
        blobs.put(upload_key(ref), b"x" * (MAX_JOB_BYTES_IN_REDIS + 1))
    assert list(client.scan_iter()) == []


def test_a_folder_holds_only_finished_files_under_the_tenant(
    tmp_path: Path, client: redis.Redis
) -> None:
    blobs, ref = open_blobs(f"file://{tmp_path}/a/b", client), JobRef.new("acme")
    blobs.put(upload_key(ref), b"image")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files == [tmp_path / "a" / "b" / "acme" / ref.id / "upload" / "image"]
    blobs.erase(str(ref))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_write_that_fails_midway_leaves_no_partial_file(
    tmp_path: Path, client: redis.Redis
) -> None:
    blobs, ref = open_blobs(f"file://{tmp_path}", client), JobRef.new()
    blobs.put(upload_key(ref), b"first")
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MB, unlimited[1]))
    try:
        for key in (upload_key(ref), artifact_key(ref, 1, "segments.png")):
            with pytest.raises(StoreUnavailable):
                blobs.put(key, b"x" * (4 * MB))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert blobs.get(upload_key(ref)) == b"first"
    with pytest.raises(BlobMissing):
        blobs.get(artifact_key(ref, 1, "segments.png"))


def test_a_bucket_that_is_not_there_is_unavailable(bucket: str, client: redis.Redis) -> None:
    blobs = open_blobs("s3://nothing-here/jobs", client)
    with pytest.raises(StoreUnavailable):
        blobs.put(upload_key(JobRef.new()), b"image")
