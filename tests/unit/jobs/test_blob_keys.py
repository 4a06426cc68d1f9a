from __future__ import annotations

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from worker.jobs.blobs import open_blobs, split_key
from worker.jobs.job import JobRef, artifact_key, upload_key, upload_segments_key

REF = JobRef("acme", "exp_" + "0" * 32)


@pytest.mark.parametrize(
    "key",
    [upload_key(REF), upload_segments_key(REF), artifact_key(REF, 12, "attributions.json"),
     artifact_key(REF, 1, "overlays/285/signed.png")],
)  # fmt: skip
def test_every_key_that_is_made_is_a_key(key: str) -> None:
    ref, name = split_key(key)
    assert ref == REF
    assert f"{ref}/{name}" == key


@pytest.mark.parametrize(
    "key",
    ["", "image", "acme/upload/image", f"{REF}", f"{REF}/", f"{REF}//a", f"{REF}/../x",
     f"{REF}/a/../../x", f"{REF}/.hidden", f"{REF}/a/..", f"{REF}/a\\b", f"{REF}/a\0", f"/{REF}/a",
     f"../{REF}/a", f"{REF}/a/b/c/d/e/f", f"{REF}/{'a' * 200}", f"{REF}/%2e%2e/a", f"{REF}/a\n"],
)  # fmt: skip
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        split_key(key)


@given(st.text(max_size=40))
def test_no_name_leads_out_of_its_job(name: str) -> None:
    try:
        _, accepted = split_key(f"{REF}/{name}")
    except ValueError:
        return
    parts = accepted.split("/")
    assert all(part and not part.startswith(".") for part in parts)


@pytest.mark.parametrize("url", ["", "redis://elsewhere", "file:relative", "http://x/y", "ftp:"])
def test_a_place_that_is_not_offered_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="s3://bucket/prefix"):
        open_blobs(url, redis.Redis())
