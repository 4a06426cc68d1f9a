"""The OpenAPI document: valid, complete, and true of what the service answers."""

from __future__ import annotations

import copy
import io
import json
import re
import shlex

import jsonschema_rs
import pytest
import schemathesis

from tests.support import documented, pictures
from tests.support.bad_input import ALL
from tests.support.contract import Contract
from tests.unit.web.conftest import model
from tests.unit.web.fakes import NOW
from web.auth import open_to_all
from web.openapi.document import build
from web.openapi.examples import FINISHED
from web.openapi.operations import OPERATIONS
from web.openapi.routes import Undocumented
from web.schemas import JobFields
from worker.jobs.job import Progress
from worker.jobs.tenants import Tenants, TenantSettings

SUBMIT = "createExplanation"
# What these ask for is there while the job has not ended.
BEFORE_THE_END = {"cancelExplanation"}
IDS = [operation.id for operation in OPERATIONS.values()]
EXAMPLES = [
    (operation.id, name)
    for operation in OPERATIONS.values()
    for name in (operation.body.examples if operation.body else ())
]
COMMANDS = [command.value for operation in OPERATIONS.values() for command in operation.commands]


@pytest.fixture(scope="module")
def made():
    """Hold the contract for this module: the document takes a while to make."""
    return []


@pytest.fixture
def contract(made, service):
    if not made:
        answer = service.client.get("/openapi.json")
        assert answer.content_type == "application/json"
        made.append(Contract(answer.get_json()))
    return made[0]


@pytest.fixture
def filled(service):
    """The service in which the examples are true."""
    service.keys.add(documented.KEY, tenant="default", scopes="submit read admin")
    queue(service)
    service.store.happen(documented.REF, "succeeded")
    service.outbox.add(documented.REF, "succeeded")
    service.store.change(
        documented.REF,
        status="succeeded",
        result=documented.result(3),
        progress=Progress(stage="done", samples_done=512, samples_limit=1000),
        attempts=1,
        fence=3,
        finished_at=NOW,
    )
    service.blobs.kept.update(documented.blobs(3))
    return service


def queue(service):
    """Accept the job of the examples."""
    service.store.create(
        ref=documented.REF,
        queue="interactive",
        request=documented.REQUEST,
        image=documented.IMAGE,
        deadline_s=60,
        retention_s=600,
        queue_limit=None,
    )
    service.store.happen(documented.REF, "queued")


def check(contract, operation, answer):
    contract.check(
        operation,
        status=answer.status_code,
        content_type=answer.content_type,
        body=answer.data,
        headers=answer.headers,
    )
    answer.close()


def call(service, contract, operation_id, **more):
    """Call an operation with the examples of its parameters."""
    method, path, operation = contract.operations()[operation_id]
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
    more.setdefault("headers", {"Authorization": f"Bearer {documented.KEY}"})
    return service.client.open(path, method=method, **more)


def test_the_document_is_valid(contract):
    schemathesis.openapi.from_dict(copy.deepcopy(contract.document)).validate()
    for schema in contract.document["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)


def test_a_document_that_is_not_valid_would_be_found(contract):
    broken = copy.deepcopy(contract.document)
    del broken["paths"]["/v1/models"]["get"]["responses"]["200"]["description"]
    with pytest.raises(jsonschema_rs.ValidationError):
        schemathesis.openapi.from_dict(broken).validate()


def test_every_default_is_a_value_that_its_schema_takes(contract):
    found = list(schemas_with_a_default(contract.document))
    assert len(found) > 5
    assert [one for one in found if contract.errors(one, one["default"])] == []


def schemas_with_a_default(part):
    if isinstance(part, dict):
        if "default" in part and {"type", "anyOf", "oneOf", "$ref"} & part.keys():
            yield part
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from schemas_with_a_default(one)


def test_every_route_is_in_it_and_nothing_else(service, contract):
    app = service.client.application
    # Pages for people are no part of the contract.
    served = {
        (method, re.sub("<(.+?)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if not app.view_functions[rule.endpoint].is_page
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert {(method, path) for method, path, _ in contract.operations().values()} == served
    assert set(contract.operations()) == set(IDS)


def test_a_route_of_which_nothing_is_said_is_found(make_service):
    app = make_service().client.application
    app.add_url_rule("/v1/new", "api.new", open_to_all(lambda: "new"))
    with pytest.raises(Undocumented, match=r"api\.new"):
        build(app, version="1")


def test_references_lead_to_components_that_exist(contract):
    schemas = contract.document["components"]["schemas"]
    found = set(re.findall(r"#/components/schemas/(\w+)", str(contract.document)))
    assert found <= set(schemas)
    assert {"Job", "JobPage", "Problem", "OptionsOverPreset"} <= found


def test_it_says_who_may_call_what(contract):
    operations = {name: found for name, (_, _, found) in contract.operations().items()}
    assert operations["isLive"]["security"] == []
    assert {"key": ["submit"]} in operations[SUBMIT]["security"]
    assert {"own_header": []} in operations[SUBMIT]["security"]
    assert {"share": []} in operations["getOverlay"]["security"]
    assert {"share": []} not in operations["deleteExplanation"]["security"]
    assert "429" in operations[SUBMIT]["responses"]
    assert "429" not in operations["getExplanation"]["responses"]


@pytest.mark.parametrize("operation_id", IDS)
def test_every_operation_answers_its_example_as_the_document_says(filled, contract, operation_id):
    if operation_id in BEFORE_THE_END:
        queue(filled)
    more = {}
    _, _, operation = contract.operations()[operation_id]
    if "requestBody" in operation:
        examples = operation["requestBody"]["content"]["application/json"]["examples"]
        more["json"] = next(iter(examples.values()))["value"]
    answer = call(filled, contract, operation_id, **more)
    assert answer.status_code == int(next(iter(operation["responses"])))
    check(contract, operation, answer)


@pytest.mark.parametrize(("operation_id", "name"), EXAMPLES)
def test_every_example_of_a_body_is_valid_and_accepted(filled, contract, operation_id, name):
    _, _, operation = contract.operations()[operation_id]
    body = operation["requestBody"]["content"]["application/json"]
    value = body["examples"][name]["value"]
    assert contract.errors(body["schema"], value, closed=False) == []
    answer = call(filled, contract, operation_id, json=value)
    assert answer.status_code < 300, answer.get_json()
    check(contract, operation, answer)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_works(filled, contract, command):
    program, *words = shlex.split(command)
    assert program == "curl"
    url = words.pop()
    options = list(zip(words[::2], words[1::2], strict=True))
    fields = dict(text.split("=", 1) for option, text in options if option == "-F")
    assert fields.pop("image").startswith("@")
    headers = dict(text.split(": ", 1) for option, text in options if option == "-H")
    headers.setdefault("Authorization", f"Bearer {documented.KEY}")
    fields["image"] = (io.BytesIO(pictures.png()), "cat.png")
    answer = filled.client.post(
        url.removeprefix("http://127.0.0.1:8000"), data=fields, headers=headers
    )
    assert answer.status_code == 202, answer.get_json()
    check(contract, contract.operations()[SUBMIT][2], answer)


def test_every_example_of_an_answer_has_its_schema(contract):
    checked = 0
    for _, _, operation in contract.operations().values():
        for answer in operation["responses"].values():
            for content in answer.get("content", {}).values():
                if "example" in content:
                    assert contract.errors(content["schema"], content["example"]) == []
                    checked += 1
    assert checked >= 3


def test_attributions_of_an_older_worker_are_answered_as_the_document_says(filled, contract):
    key = next(key for key in filled.blobs.kept if key.endswith("attributions.json"))
    older = json.loads(filled.blobs.kept[key])
    del older["segment_numbers"]
    filled.blobs.kept[key] = json.dumps(older).encode()
    _, path, operation = contract.operations()["getAttributions"]
    answer = filled.client.get(
        path.format(job_id=documented.REF.id),
        headers={"Authorization": f"Bearer {documented.KEY}"},
    )
    assert "segment_numbers" not in answer.get_json()
    contract.check(
        operation,
        status=answer.status_code,
        content_type=answer.content_type,
        body=answer.data,
        headers=answer.headers,
    )


def test_a_warning_of_a_code_that_comes_later_is_as_the_document_says(contract):
    later = {"code": "new-code", "severity": "info", "class_index": None, "text": "T.", "cure": ""}
    schema = contract.document["components"]["schemas"]["ResultWarning"]
    assert contract.errors(schema, later) == []
    assert "low-fidelity" in schema["properties"]["code"]["examples"]
    assert contract.errors(schema, {**later, "severity": "new"}) != []


def test_the_job_of_the_examples_is_shown_as_in_its_example(filled, contract):
    shown = call(filled, contract, "getExplanation").get_json()
    own = {name for name in shown if name.endswith("_at")}
    assert {name: shown[name] for name in set(FINISHED) - own} == {
        name: FINISHED[name] for name in set(FINISHED) - own
    }


@pytest.mark.parametrize("operation_id", IDS)
def test_every_operation_says_how_it_answers_without_the_store(filled, contract, operation_id):
    filled.store.down = filled.catalogue.down = filled.keys.down = True
    _, _, operation = contract.operations()[operation_id]
    more = {"json": {"key": "ll_other"}} if operation_id == "signIn" else {}
    answer = call(filled, contract, operation_id, **more)
    assert answer.status_code == 503 or operation["security"] == []
    check(contract, operation, answer)


@pytest.mark.parametrize("operation_id", IDS)
def test_every_operation_says_how_it_answers_without_a_key(filled, contract, operation_id):
    _, _, operation = contract.operations()[operation_id]
    more = {"json": {"key": "ll_other"}} if operation_id == "signIn" else {}
    answer = call(filled, contract, operation_id, headers={}, **more)
    assert answer.status_code == 401 or operation["security"] == []
    check(contract, operation, answer)


def test_a_tenant_that_asks_too_often_is_answered_as_the_document_says(make_service, contract):
    service = make_service(tenants=Tenants(defaults=TenantSettings(rate_limit="1/minute")))
    operation = contract.operations()[SUBMIT][2]
    for status in (415, 429):
        answer = service.client.post("/v1/explanations")
        assert answer.status_code == status
        check(contract, operation, answer)


def test_a_model_is_shown_as_the_document_says_whatever_is_known_of_it(make_service, contract):
    unknown = dict.fromkeys(("version", "signature", "input_size", "labels", "class_count"))
    service = make_service((model(state="unavailable", problem="Start it.", **unknown),))
    answer = service.client.get("/v1/models/lite0")
    check(contract, contract.operations()["getModel"][2], answer)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_a_refusal_of_bad_input_is_one_that_the_document_names(service, contract, case):
    operation = contract.operation_at(case.method, case.path.partition("?")[0])
    if operation is None:
        assert case.status in (404, 405)
        return
    if "Host" in case.headers:
        return  # What any path answers is said of the API as a whole.
    answer = service.client.open(
        case.path,
        method=case.method,
        data=case.body,
        content_type=case.content_type,
        headers=case.headers,
    )
    check(contract, operation, answer)


@pytest.mark.parametrize(
    ("options", "is_valid"),
    [
        ({}, True),
        ({"segmentation": "slic"}, True),
        ({"segmentation": {"n_segments": 30}}, True),
        ({"segmentation": {"method": "grid", "rows": 3}}, True),
        ({"segmentation": "magic"}, False),
        ({"segmentation": {"method": "grid", "n_segments": 3}}, False),
        ({"baseline": "colour"}, False),
        ({"baseline": {"method": "colour", "colour": "#ff0000"}}, True),
        ({"surrogate": "ols"}, True),
        ({"samples": 1}, False),
        ({"sample": 100}, False),
    ],
)
def test_the_schema_takes_the_options_that_the_service_takes(service, contract, options, is_valid):
    _, _, operation = contract.operations()[SUBMIT]
    content = operation["requestBody"]["content"]["application/json"]
    body = {**content["examples"]["image"]["value"], "options": options}
    assert (contract.errors(content["schema"], body, closed=False) == []) is is_valid
    answer = service.client.post("/v1/explanations", json=body)
    assert answer.status_code == (202 if is_valid else 422)


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [("", True), ("1-0", True), ("7", True), ("1-", False), ("-1", False), ("one", False)],
)
def test_the_schema_takes_the_event_ids_that_the_service_takes(filled, contract, text, is_valid):
    operation = contract.operations()["streamExplanation"][2]
    header = next(one for one in operation["parameters"] if one["name"] == "Last-Event-ID")
    assert (contract.errors(header["schema"], text) == []) is is_valid
    headers = {"Authorization": f"Bearer {documented.KEY}", "Last-Event-ID": text}
    answer = call(filled, contract, "streamExplanation", headers=headers)
    assert (answer.status_code == 400) is not is_valid


def test_any_text_may_be_sent_as_an_etag(filled, contract):
    operation = contract.operations()["getExplanation"][2]
    for text in ("", "*", '"a", W/"b"', "\x84"):
        headers = {"Authorization": f"Bearer {documented.KEY}", "If-None-Match": text}
        answer = call(filled, contract, "getExplanation", headers=headers)
        assert answer.status_code == (304 if text == "*" else 200)
        check(contract, operation, answer)


def test_the_schema_of_a_form_knows_every_field(contract):
    form = contract.operations()[SUBMIT][2]["requestBody"]["content"]["multipart/form-data"]
    nested = re.compile(next(iter(form["schema"]["patternProperties"])))
    for name in JobFields.model_fields:
        assert name in form["schema"]["properties"] or nested.match(f"{name}.part")
    assert form["schema"]["required"] == ["image"]


def test_the_document_is_not_sent_again_while_it_is_the_same(service):
    first = service.client.get("/openapi.json")
    again = service.client.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
