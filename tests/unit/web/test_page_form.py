"""The page's form, as browsers send it without JavaScript."""

from __future__ import annotations

import gzip
import html
import io
import os
import re

import pytest
from PIL import Image

from tests.support import pictures
from tests.unit.web.results import succeed
from worker.explain.presets import PRESETS
from worker.jobs.job import JobRef, upload_key

URL = "/explanations"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
SCRIPT = {"Accept": "application/json"}
FORM = "application/x-www-form-urlencoded"
FORM_OR_JSON = {
    URL: "multipart/form-data; boundary=x",
    "/sign-in": FORM,
    "/session": "application/json",
    "/v1/explanations": "application/json",
}
# What a browser sends of a form in which nothing was changed.
UNTOUCHED = {
    "model": "lite0",
    "classes_top": "1",
    "classes_named": "",
    "preset": "default",
    "options.segmentation": "",
    "options.samples": "",
    "options.stopping": "",
    "version": "",
    "queue": "",
    "metadata.note": " ",
}


@pytest.fixture
def service(make_service, tmp_path):
    folder = tmp_path / "samples"
    folder.mkdir()
    (folder / "striped_cat.png").write_bytes(pictures.png())
    (folder / "notes.txt").write_text("no photograph")
    return make_service(samples_dir=folder)


def send(service, *, image=None, headers=BROWSER, **fields):
    nothing = (io.BytesIO(b""), "")
    files = {"image": nothing if image is None else (io.BytesIO(image), "cat.png")}
    data = {**UNTOUCHED, **files, "segments": nothing, **fields}
    return service.client.post(URL, data=data, content_type="multipart/form-data", headers=headers)


def only_job(service):
    (job,) = service.store.jobs.values()
    return job


def test_an_untouched_form_asks_for_the_defaults_and_leads_to_the_job(service):
    answer = send(service, image=pictures.png())
    job = only_job(service)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{URL}/{job.ref.id}")
    assert job.request.preset == "default"
    assert job.request.options["samples"] == 1000
    assert job.request.classes == {"top": 1}
    assert job.request.metadata == {"filename": "cat.png"}
    assert service.queue.messages == [(job.ref, "interactive")]


def test_a_script_gets_the_path_as_json(service):
    answer = send(service, image=pictures.png(), headers=SCRIPT)
    assert answer.status_code == 201
    assert answer.get_json() == {"page": f"{URL}/{only_job(service).ref.id}"}


@pytest.mark.parametrize("preset", PRESETS)
def test_the_pictures_are_those_of_the_preset_and_a_sheet_all_in_blue_and_orange(service, preset):
    send(service, image=pictures.png(), preset=preset)
    asked = {one["style"]: one for one in only_job(service).request.overlays}
    assert set(asked) == {"signed", "sheet", *PRESETS[preset].overlays}
    assert asked["signed"]["colours"] == asked["sheet"]["colours"] == "blue-orange"


def test_options_that_were_filled_in_are_read_by_their_type(service):
    send(
        service,
        image=pictures.png(),
        **{
            "options.segmentation": "grid",
            "options.segmentation.rows": "3",
            "options.stopping": "fixed",
            "options.kernel_width": "0.5",
            "metadata.note": "case 17",
        },
    )
    job = only_job(service)
    assert job.request.options["segmentation"] == {"method": "grid", "rows": 3, "columns": 7}
    assert job.request.options["kernel_width"] == 0.5
    assert job.request.metadata["note"] == "case 17"


@pytest.mark.parametrize(
    ("named", "indices"),
    [("espresso", (3,)), ("1, lynx", (1, 4)), ("2", (2,)), ("Egyptian cat,", (1,))],
)
def test_named_classes_count_before_the_number_of_them(service, named, indices):
    send(service, image=pictures.png(), classes_named=named)
    assert only_job(service).request.classes == indices


def test_a_photograph_that_is_there_needs_no_file(service):
    send(service, sample="striped_cat")
    job = only_job(service)
    assert job.request.metadata == {"filename": "striped_cat.png"}
    assert service.blobs.kept[upload_key(job.ref)] == pictures.png()


def test_a_file_counts_before_a_photograph_that_is_there(service):
    send(service, image=pictures.jpeg(), sample="striped_cat")
    assert service.blobs.kept[upload_key(only_job(service).ref)] == pictures.jpeg()


@pytest.mark.parametrize("name", ["notes", "../samples/striped_cat", "missing"])
def test_nothing_but_the_photographs_of_the_folder_can_be_named(service, name):
    assert send(service, sample=name).status_code == 404
    assert service.client.get(f"/samples/{name}.webp").status_code == 404
    assert service.is_untouched()


def test_the_image_of_another_job_is_taken_again(service):
    send(service, image=pictures.jpeg())
    first = only_job(service)
    succeed(service, first.ref.id)
    send(service, same_image_as=first.ref.id, preset="lime")
    second = next(job for job in service.store.jobs.values() if job.ref != first.ref)
    assert second.image == first.image
    assert service.blobs.kept[upload_key(second.ref)] == pictures.jpeg()


def test_an_image_that_is_no_longer_kept_is_said_so(service):
    gone = JobRef.new()
    service.store.erased.add(gone)
    answer = send(service, same_image_as=gone.id)
    assert answer.status_code == 422
    assert "no longer kept" in answer.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "is missing: choose an image file first"),
        ({"sample": "striped_cat", "preset": "best"}, "there is no such preset"),
        ({"sample": "striped_cat", "options.samples": "many"}, "/options/samples"),
        ({"sample": "striped_cat", "options.colour": "red"}, "unknown field"),
        ({"sample": "striped_cat", "version": ["1", "2"]}, "was given more than once"),
        ({"sample": "striped_cat", "classes_named": "dragon"}, "dragon"),
    ],
)
def test_a_mistake_is_told_on_a_page_to_people_and_as_a_problem_to_scripts(service, fields, said):
    page = send(service, **fields)
    assert (page.status_code, page.mimetype) == (422, "text/html")
    assert said in page.text
    problem = send(service, headers=SCRIPT, **fields)
    assert (problem.status_code, problem.mimetype) == (422, "application/problem+json")
    assert said in problem.text
    assert service.is_untouched()


def test_a_form_that_is_cut_short_is_told_on_a_page(service):
    answer = service.client.post(
        URL,
        data=b"--x\r\nContent-Disposition: form-data; name=image",
        content_type="multipart/form-data; boundary=x",
        headers=BROWSER,
    )
    assert (answer.status_code, answer.mimetype) == (400, "text/html")


def test_an_upload_over_the_limit_is_told_on_a_page(make_service):
    service = make_service(max_upload_bytes=20_000)
    noise = pictures.encoded(Image.effect_noise((200, 200), 90))
    answer = send(service, image=noise)
    assert (answer.status_code, answer.mimetype) == (413, "text/html")
    assert "The request is too large" in answer.text


ODD_NAMES = (
    "a#b", "a?b=c&d", "50%", "%2e%2e", "two words", "it's \"so\"", "kätzchen", "猫", "a.b", "a\\b",
)  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_photograph_may_have_any_name(make_service, tmp_path, name):
    (tmp_path / f"{name}.png").write_bytes(pictures.png())
    service = make_service(samples_dir=tmp_path)
    page = service.client.get("/", headers=BROWSER).text
    (picture,) = (path for path in re.findall(r'<img src="([^"]+)"', page) if "samples" in path)
    assert service.client.get(html.unescape(picture)).content_type == "image/webp"
    (value,) = re.findall(r'name="sample" value="([^"]*)"', page)
    assert send(service, sample=html.unescape(value)).status_code == 303
    assert only_job(service).request.metadata["filename"] == f"{name}.png"


@pytest.mark.parametrize("name", [b"caf\xe9.png", b" cat .png", b"two\nlines.png"])
def test_a_photograph_whose_name_no_form_can_carry_is_offered_all_the_same(
    make_service, tmp_path, name
):
    (tmp_path / os.fsdecode(name)).write_bytes(pictures.png())
    service = make_service(samples_dir=tmp_path)
    page = service.client.get("/", headers=BROWSER)
    assert page.status_code == 200
    (value,) = re.findall(r'name="sample" value="([^"]*)"', page.text)
    assert send(service, sample=value).status_code == 303


@pytest.mark.parametrize("path", [URL, "/sign-in", "/session", "/v1/explanations"])
def test_no_body_is_read_that_is_compressed(service, path):
    headers = {**BROWSER, "Content-Encoding": "gzip"}
    answer = service.client.post(
        path, data=gzip.compress(b"key=ll_good"), headers=headers, content_type=FORM_OR_JSON[path]
    )
    assert answer.status_code == 415
    assert answer.headers["Accept-Encoding"] == "identity"
    assert "gzip" in answer.text
    assert service.is_untouched()


def test_a_coding_that_changes_nothing_is_taken(service):
    answer = send(
        service, image=pictures.png(), headers={**BROWSER, "Content-Encoding": "identity"}
    )
    assert answer.status_code == 303
