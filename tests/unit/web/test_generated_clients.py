"""Clients that generators make of the document: they ask for what their user said, and no more."""

from __future__ import annotations

import base64
import importlib
import io
import json
import re
import subprocess
import sys

import httpx
import pytest

from tests.support import pictures
from worker.explain.presets import PRESETS, resolve

URL = "/v1/explanations"
IMAGE = base64.b64encode(pictures.png()).decode()


@pytest.fixture
def document(service):
    return service.client.get("/openapi.json").get_json()


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Give the place of the generated package, which is made once."""
    return tmp_path_factory.mktemp("generated")


@pytest.fixture
def generated(package, document, monkeypatch):
    if not (package / "client").exists():
        source, settings = package / "openapi.json", package / "settings.json"
        source.write_text(json.dumps(document))
        settings.write_text(json.dumps({"post_hooks": []}))
        command = [sys.executable, "-m", "openapi_python_client", "generate"]
        places = {"--path": source, "--config": settings, "--output-path": package / "client"}
        words = [str(word) for place in places.items() for word in place]
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=True)
        (package / "said").write_text(done.stdout + done.stderr)
    monkeypatch.syspath_prepend(package / "client")
    return importlib.import_module("limelight_client")


@pytest.fixture
def client(generated, service):
    http = httpx.Client(
        transport=httpx.WSGITransport(app=service.client.application), base_url="http://localhost"
    )
    return generated.Client(base_url="http://localhost").set_httpx_client(http)


def submit(client, **fields):
    models = importlib.import_module("limelight_client.models")
    jobs = importlib.import_module("limelight_client.api.jobs.create_explanation")
    body = models.JsonBody(image=models.Base64Data(base64=IMAGE), **fields)
    answer = jobs.sync_detailed(client=client, body=body)
    assert answer.status_code == 202, answer.content
    return answer


def preset_of(name):
    return importlib.import_module("limelight_client.models.json_body_preset").JsonBodyPreset(name)


def only_job(service):
    (job,) = service.store.jobs.values()
    return job


def test_every_operation_is_generated(package, generated, document):
    said = (package / "said").read_text()
    assert "Endpoint will not be generated" not in said
    assert "duplicate" not in said
    made = {path.stem for path in (package / "client/limelight_client/api").rglob("*.py")}
    ids = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert {re.sub("(?=[A-Z])", "_", name).lower() for name in ids} <= made


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_and_a_seed_give_the_options_of_the_preset(client, service, generated, preset):
    models = importlib.import_module("limelight_client.models")
    answer = submit(client, preset=preset_of(preset), options=models.OptionsOverPreset(seed=1))
    assert only_job(service).request.options == resolve(preset, {"seed": 1}).model_dump()
    # What comes back is read, too.
    assert answer.parsed.id.startswith("exp_")


def test_a_parameter_of_a_method_leaves_the_presets_others(client, service, generated):
    models = importlib.import_module("limelight_client.models")
    options = models.OptionsOverPreset(segmentation=models.Slic(method="slic", sigma=2.0))
    submit(client, preset=preset_of("slic-heatmap"), options=options)
    told = only_job(service).request.options["segmentation"]
    assert (told["n_segments"], told["slic_zero"], told["sigma"]) == (75, True, 2.0)


def test_a_picture_is_drawn_as_the_preset_draws_it(client, service, generated):
    models = importlib.import_module("limelight_client.models")
    style = models.PictureStyle.HEATMAP
    submit(client, preset=preset_of("slic-heatmap"), overlays=[models.Picture(style=style)])
    (told,) = only_job(service).request.overlays
    assert (told["positive_only"], told["smoothing"], told["colormap"]) == (True, 8.0, "jet")


def test_a_file_is_sent_as_bytes(client, service, generated):
    models = importlib.import_module("limelight_client.models")
    types = importlib.import_module("limelight_client.types")
    jobs = importlib.import_module("limelight_client.api.jobs.create_explanation")
    file = types.File(payload=io.BytesIO(pictures.png()), file_name="x.png")
    body = models.CreateExplanationFilesBody(image=file, classes="2")
    answer = jobs.sync_detailed(client=client, body=body)
    assert answer.status_code == 202, answer.content
    assert only_job(service).request.classes == {"top": 2}


def test_every_title_stands_once(document):
    titles = re.findall(r'"title": "(\w+)"', json.dumps(document["components"]["schemas"]))
    assert sorted(titles) == sorted(set(titles))


def test_no_option_has_a_default_that_would_overrule_a_preset(document):
    schemas = document["components"]["schemas"]
    options = {"OptionsOverPreset", "ExplanationOptions", "Picture"}
    options |= set(re.findall(r"schemas/(\w+)", json.dumps(schemas["OptionsOverPreset"])))
    assert {"Slic", "Quickshift", "Blur", "Lasso"} <= options
    for name in options:
        assert '"default"' not in json.dumps(schemas[name]), name
    assert schemas["OptionsOverPreset"]["properties"]["samples"]["x-default"] == 1000


def test_files_are_told_as_files_and_pictures_as_bytes(document):
    (content,) = (
        path["post"]["requestBody"]["content"]
        for address, path in document["paths"].items()
        if address == URL
    )
    form = content["multipart/form-data"]["schema"]["properties"]
    answers = [
        (media, one["schema"])
        for path in document["paths"].values()
        for operation in path.values()
        for answer in operation["responses"].values()
        for media, one in answer.get("content", {}).items()
        if media in ("image/png", "image/webp", "application/zip")
    ]
    assert len(answers) > 4
    for media, schema in [*answers, *((None, form[name]) for name in ("image", "segments"))]:
        assert (schema["type"], schema["format"]) == ("string", "binary")
        assert schema["contentMediaType"] == media or media is None


NULLS = [
    {"model": None, "version": None, "classes": None, "preset": None, "options": None},
    {"overlays": None, "webhook": None, "queue": None, "retention_s": None, "metadata": None},
    {"segments": None, "classes": {"top": None}},
    {"options": {"samples": None, "segmentation": None, "baseline": None, "num_features": None}},
    {"options": {"segmentation": {"method": "slic", "compactness": None, "n_segments": None}}},
    {"options": {"segmentation": {"method": None, "compactness": None}}},
]


@pytest.mark.parametrize("nulls", NULLS)
def test_null_says_the_same_as_a_field_left_out(make_service, nulls):
    jobs = []
    for body in ({}, nulls):
        service = make_service()
        answer = service.client.post(URL, json={"image": {"base64": IMAGE}, **body})
        assert answer.status_code == 202, answer.get_json()
        jobs.append(only_job(service))
    assert jobs[0].request == jobs[1].request
    assert jobs[0].queue == jobs[1].queue


@pytest.mark.parametrize("preset", PRESETS)
def test_a_client_that_sends_null_for_all_it_knows_gets_the_preset(service, document, preset):
    # As clients do that write out their whole model.
    schemas = document["components"]["schemas"]
    options = dict.fromkeys(schemas["OptionsOverPreset"]["properties"])
    styles = [
        {**dict.fromkeys(schemas["Picture"]["properties"]), "style": style}
        for style in PRESETS[preset].overlays
    ]
    body = {"image": {"base64": IMAGE}, "preset": preset}
    for more in ({}, {"options": options, "overlays": styles}):
        assert service.client.post(URL, json={**body, **more}).status_code == 202
    plain, nulls = service.store.jobs.values()
    assert plain.request == nulls.request


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"image": None}, "/image"),
        ({"metadata": {"ticket": None}}, "/metadata/ticket"),
        ({"webhook": {"url": None}}, "/webhook/url"),
        ({"overlays": [None]}, "/overlays/0"),
        ({"unknown": None}, "/unknown"),
        ({"options": {"sample": None}}, "/options/sample"),
        ({"options": {"segmentation": {"n_segment": None}}}, "/options/segmentation/n_segment"),
    ],
)
def test_null_stands_for_no_value_that_is_needed_or_unknown(service, body, pointer):
    answer = service.client.post(URL, json={"image": {"base64": IMAGE}, **body})
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"] == pointer


def test_the_document_takes_null_where_the_service_does(document):
    fields = document["components"]["schemas"]["JsonBody"]["properties"]
    for name in ("model", "classes", "options", "metadata", "overlays", "segments"):
        assert {"type": "null"} in fields[name]["anyOf"], name
