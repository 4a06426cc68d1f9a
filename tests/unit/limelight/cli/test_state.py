from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import pytest

from limelight.cli.state import FILE_NAME, RunState, fingerprint

CAT = Path("/photos/cat.jpg")
MARK = "ab" * 32


def test_an_image_is_taken_up_where_it_was(tmp_path):
    with RunState(tmp_path) as state:
        entry = state.begin(CAT, MARK)
        state.keep(replace(entry, job="exp_1", status="queued"))

    with RunState(tmp_path) as state:
        found = state.begin(CAT, MARK)

    assert (found.key, found.job, found.status) == (entry.key, "exp_1", "queued")


@pytest.mark.parametrize("status", ["failed", "canceled", "expired"])
def test_what_ended_without_a_result_begins_anew(tmp_path, status):
    with RunState(tmp_path) as state:
        entry = state.begin(CAT, MARK)
        state.keep(replace(entry, job="exp_1", status=status))
        again = state.begin(CAT, MARK)
    assert again.key != entry.key
    assert again.job is None
    assert again.folder == entry.folder


def test_another_question_begins_anew_and_so_does_what_is_asked_again(tmp_path):
    with RunState(tmp_path) as state:
        first = state.begin(CAT, MARK)
        state.keep(replace(first, status="succeeded", job="exp_1"))
        other = state.begin(CAT, "cd" * 32)
        forced = state.begin(CAT, "cd" * 32, again=True)
    assert len({first.key, other.key, forced.key}) == 3


def test_a_job_that_is_gone_gets_another_key(tmp_path):
    with RunState(tmp_path) as state:
        entry = state.keep(replace(state.begin(CAT, MARK), job="exp_1"))
        renewed = state.renew(entry)
    assert renewed.key != entry.key
    assert renewed.job is None


def test_images_of_one_name_get_folders_of_their_own(tmp_path):
    with RunState(tmp_path) as state:
        images = ["/a/cat.jpg", "/b/cat.jpg", "/a/cat.png", "/a/CAT.jpg", "/a/dog.jpg"]
        folders = [state.begin(Path(image), MARK).folder for image in images]
    assert folders == ["cat", "cat-2", "cat-3", "CAT-4", "dog"]


@pytest.mark.parametrize("noise", [b'{"image": "/photos/c', b"\xff\xfe\n", b"[]\n", b"{}\n"])
def test_a_line_that_was_cut_short_loses_only_itself(tmp_path, noise):
    with RunState(tmp_path) as state:
        entry = state.begin(CAT, MARK)
    with (tmp_path / FILE_NAME).open("ab") as journal:
        journal.write(noise)

    with RunState(tmp_path) as state:
        assert state.begin(CAT, MARK) == entry
        dog = state.begin(Path("/photos/dog.jpg"), MARK)
    with RunState(tmp_path) as state:
        assert state.begin(Path("/photos/dog.jpg"), MARK) == dog


def test_one_run_at_a_time_writes_to_a_folder(tmp_path):
    with RunState(tmp_path), pytest.raises(click.ClickException, match="Another run"):
        RunState(tmp_path)
    with RunState(tmp_path):
        pass


def test_a_fingerprint_is_of_image_service_and_question():
    first = fingerprint(b"image", url="http://a", form={"classes": "3", "model": "m"})
    assert first == fingerprint(b"image", url="http://a", form={"model": "m", "classes": "3"})
    others = [
        fingerprint(b"other", url="http://a", form={"classes": "3", "model": "m"}),
        fingerprint(b"image", url="http://b", form={"classes": "3", "model": "m"}),
        fingerprint(b"image", url="http://a", form={"classes": "4", "model": "m"}),
    ]
    assert len({first, *others}) == 4
