from __future__ import annotations

from tests.unit.limelight.service import JOB_ID, PATH, refusal, told
from tests.unit.limelight.test_deliveries import LOG


def test_the_log_is_a_table_for_people(limelight):
    ended = limelight("webhooks", "log", JOB_ID, answers=(told(LOG),))
    assert ended.code == 0
    head, row = ended.out.splitlines()
    assert head.split() == ["event", "state", "tries", "last", "answer", "next", "try"]
    cells = ["explanation.succeeded", "pending", "1", "status", "2026-01-02", "03:04:11Z"]
    assert row.split() == cells
    assert "https://example.org/hook" in ended.err


def test_a_redelivery_prints_the_log_as_the_service_tells_it(limelight):
    ended = limelight("webhooks", "redeliver", JOB_ID, "--json", answers=(told(LOG, status=202),))
    assert (ended.code, ended.lines) == (0, [LOG])
    assert ended.service.paths == [f"POST {PATH}/webhook/redeliver"]


def test_where_there_is_nothing_to_tell_the_service_has_refused(limelight):
    ended = limelight("webhooks", "redeliver", JOB_ID, answers=(refusal(409, "conflict"),))
    assert ended.code == 4
