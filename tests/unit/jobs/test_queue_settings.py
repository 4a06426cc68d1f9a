from __future__ import annotations

import pytest
from celery import Celery

from worker.jobs.queue import celery_app
from worker.jobs.settings import StoreSettings

SETTINGS = StoreSettings(
    redis_url="redis://127.0.0.1:6379/5", job_limit_s=100, lease_s=30, soft_shutdown_s=10
)


@pytest.fixture
def app() -> Celery:
    return celery_app(SETTINGS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task_acks_late", True),
        ("task_reject_on_worker_lost", True),
        ("worker_prefetch_multiplier", 1),
        ("task_ignore_result", True),
        ("task_serializer", "json"),
        ("accept_content", ["json"]),
        ("task_create_missing_queues", False),
        ("worker_cancel_long_running_tasks_on_connection_loss", False),
        ("broker_connection_max_retries", None),
        ("worker_enable_remote_control", True),
        ("broker_connection_retry_on_startup", True),
        ("broker_url", "redis://127.0.0.1:6379/5"),
    ],
)
def test_a_setting_that_a_promise_needs_is_made(app: Celery, name: str, value: object) -> None:
    assert app.conf[name] == value


def test_limits_come_in_order_and_the_message_outlives_them(app: Celery) -> None:
    conf = app.conf
    assert SETTINGS.job_limit_s < conf.task_soft_time_limit < conf.task_time_limit
    held_at_most = (
        conf.task_time_limit + SETTINGS.soft_shutdown_s + conf.worker_soft_shutdown_timeout
    )
    assert conf.broker_transport_options["visibility_timeout"] > held_at_most


def test_children_are_replaced(app: Celery) -> None:
    assert app.conf.worker_max_tasks_per_child == SETTINGS.child_jobs
    assert app.conf.worker_max_memory_per_child == SETTINGS.child_memory_mb * 1024


def test_a_vanished_broker_is_noticed(app: Celery) -> None:
    options = app.conf.broker_transport_options
    assert (options["socket_timeout"], options["socket_keepalive"]) == (2, True)
    assert (options["health_check_interval"], options["unacked_restore_interval"]) == (3, 1)


def test_both_queues_are_there_and_no_other(app: Celery) -> None:
    assert list(app.amqp.queues) == ["interactive", "bulk"]


def test_making_the_application_does_not_make_it_everybodys(app: Celery) -> None:
    from celery import current_app  # noqa: PLC0415 - what it is after the fixture ran.

    assert current_app._get_current_object() is not app
