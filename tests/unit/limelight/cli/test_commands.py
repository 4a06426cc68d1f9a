from __future__ import annotations

import io
import json

import httpx
import pytest

from tests.unit.limelight.service import ATTRIBUTIONS, JOB_ID, PATH, job, refusal, told

OTHER = "exp_" + "cd" * 16
MODELS = {
    "models": [
        {"name": "lite0", "state": "available", "version": 3, "input_size": [224, 224]},
        {"name": "big", "state": "unavailable", "problem": "The server is away."},
    ]
}


def test_status_shows_a_job_with_its_strongest_segments(limelight):
    ended = limelight("status", JOB_ID, answers=(told(job()),))
    assert ended.code == 0
    assert JOB_ID in ended.out
    assert "Egyptian cat (1)" in ended.out
    assert "+0.0830" in ended.out


def test_status_says_what_speaks_against_the_answer_and_of_which_class(limelight):
    warnings = [
        {
            "code": "hidden-score-high",
            "severity": "critical",
            "class_index": 1,
            "text": "With everything hidden the score is the same.",
            "cure": "Take another baseline.",
        },
        {"code": "of-a-newer-service", "severity": "info", "class_index": None, "text": "Odd."},
    ]
    ended = limelight("status", JOB_ID, answers=(told(job(warnings=warnings)),))
    assert ended.err.splitlines() == [
        (
            "critical, Egyptian cat (1): With everything hidden the score is the same. "
            "Take another baseline."
        ),
        "info: Odd.",
    ]


def test_status_as_json_is_the_job_as_it_came_one_a_line(limelight):
    jobs = (job(), job("queued", OTHER))
    ended = limelight("status", JOB_ID, OTHER, "--json", answers=tuple(map(told, jobs)))
    assert ended.lines == list(jobs)
    assert ended.err == ""


def test_status_of_a_failed_job_says_why_and_exits_with_1(limelight):
    ended = limelight("status", JOB_ID, answers=(told(job("failed")),))
    assert ended.code == 1
    assert "What was wrong." in ended.err


def test_status_waits_when_it_is_told_to(limelight):
    answers = (told(job("queued"), Retry_After="2"), told(job()))
    ended = limelight("status", JOB_ID, "--wait", answers=answers)
    assert ended.code == 0
    assert ended.time.sleeps == [2.0]


def test_fetch_writes_all_files_of_a_job(limelight, tmp_path):
    answers = (
        told(job()),
        httpx.Response(200, content=b"signed"),
        httpx.Response(200, content=b"heatmap"),
        told(ATTRIBUTIONS),
        httpx.Response(200, content=b"map"),
    )
    ended = limelight("fetch", JOB_ID, "--out", str(tmp_path), "--json", answers=answers)

    folder = tmp_path / JOB_ID
    assert ended.code == 0
    assert [path.name for path in sorted(folder.iterdir())] == [
        "1-heatmap.webp",
        "1-signed.png",
        "attributions.json",
        "job.json",
        "segments.png",
    ]
    assert (folder / "1-signed.png").read_bytes() == b"signed"
    assert json.loads((folder / "job.json").read_bytes()) == job()
    assert set(ended.lines[0]["files"]) == {str(path) for path in folder.iterdir()}


@pytest.mark.parametrize(
    "overlays",
    [
        {"../../signed": f"{PATH}/overlays/1/signed.png"},
        {"signed": f"{PATH}/overlays/1/signed.sh"},
        {"signed": "https://evil.example/signed.png"},
    ],
)
def test_fetch_lets_no_name_of_the_service_lead_out_of_the_folder(limelight, tmp_path, overlays):
    document = job()
    document["explanations"][0]["overlays"] = overlays
    out = tmp_path / "out"
    ended = limelight("fetch", JOB_ID, "--out", str(out), answers=(told(document),))
    assert ended.code != 0
    assert "Traceback" not in ended.err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_fetch_of_a_job_under_way_says_how_to_wait(limelight, tmp_path):
    ended = limelight("fetch", JOB_ID, answers=(told(job("processing")),))
    assert ended.code == 2
    assert "--wait" in ended.err


def test_list_follows_pages_up_to_its_limit(limelight):
    pages = (
        told({"explanations": [job("queued")], "next": "c1"}),
        told({"explanations": [job("queued", OTHER)], "next": "c2"}),
    )
    ended = limelight("list", "--status", "queued", "--limit", "2", "--json", answers=pages)
    assert [line["id"] for line in ended.lines] == [JOB_ID, OTHER]
    assert dict(ended.service.asked[0].url.params) == {"status": "queued", "limit": "2"}


def test_cancel_goes_on_after_a_refusal_and_tells_it(limelight):
    answers = (refusal(409, "conflict"), told(job("canceled", OTHER), status=202))
    ended = limelight("cancel", JOB_ID, OTHER, answers=answers)
    assert ended.code == 4
    assert f"{JOB_ID}: Conflict" in ended.err
    assert f"{OTHER}: canceled" in ended.err


def test_delete_asks_before_it_erases(limelight, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    ended = limelight("delete", JOB_ID)
    assert ended.code == 130
    assert ended.service.asked == []


def test_delete_with_yes_erases(limelight):
    ended = limelight("delete", JOB_ID, "--yes", "--json", answers=(httpx.Response(204),))
    assert ended.code == 0
    assert ended.lines == [{"id": JOB_ID, "status": "deleted"}]
    assert ended.service.paths == [f"DELETE {PATH}"]


def test_models_are_listed_with_what_ails_them(limelight):
    ended = limelight("models", answers=(told(MODELS),))
    assert ended.code == 0
    assert "224 x 224" in ended.out
    assert "The server is away." in ended.out


def test_models_can_be_checked(limelight):
    assert limelight("models", "check", answers=(told(MODELS),)).code == 1
    assert limelight("models", "check", "lite0", answers=(told(MODELS["models"][0]),)).code == 0
    assert limelight("models", "check", answers=(told({"models": []}),)).code == 1


def test_a_model_is_shown_with_its_classes(limelight):
    shown = told(MODELS["models"][0] | {"labels": ["tabby", "Egyptian cat"]})
    ended = limelight("models", "show", "lite0", answers=(shown,))
    assert ended.service.paths == ["GET /v1/models/lite0"]
    assert "1  Egyptian cat" in ended.out


def test_what_a_terminal_would_obey_is_not_printed(limelight):
    document = job()
    document["explanations"][0]["class_name"] = "\x1b[31m[bold]cat\x07"
    ended = limelight("status", JOB_ID, answers=(told(document),))
    assert "\x1b" not in ended.out
    assert "\x07" not in ended.out
    assert "[bold]cat" in ended.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(limelight, shell):
    ended = limelight("completion", shell)
    assert ended.code == 0
    assert f"_LIMELIGHT_COMPLETE={shell}_complete" in ended.out


def test_headers_and_credentials_reach_the_service_from_the_command_line(limelight):
    ended = limelight(
        "models",
        "--url", "https://user:hidden@limelight.test",
        "--api-key", "ll_secret",
        "--header", "X-Tenant: acme",
        "--header", "X-Token: a:b",
        answers=(told(MODELS),),
    )  # fmt: skip
    assert ended.code == 0
    (request,) = ended.service.asked
    assert request.headers["Authorization"] == "Basic dXNlcjpoaWRkZW4="
    assert request.headers["Limelight-Api-Key"] == "ll_secret"
    assert (request.headers["X-Tenant"], request.headers["X-Token"]) == ("acme", "a:b")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--header", "X-Token hidden"),
        ("--header", "X-Token:hidden\n"),
        ("--header", "X-Token: hidden\x01"),
        ("--url", "https://user:hidden@limelight.test:port"),
        ("--url", "https://hidden@limelight.test"),
        ("--url", "https://user:hidden@limelight.test", "--header", "Authorization: hidden"),
    ],
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_what_is_wrong_with_a_header_or_an_address_is_said_without_it(limelight, arguments, form):
    ended = limelight("models", *arguments, *form, answers=(told(MODELS),))
    if ended.code == 0:
        assert ended.service.asked[0].headers["X-Token"] == "hidden"
        return
    assert ended.code == 2
    assert "hidden" not in ended.err + ended.out
