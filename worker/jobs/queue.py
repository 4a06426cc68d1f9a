"""The queue: sends a job's reference to the workers, by task name, through Celery on Redis.

The queue is only a hint. Celery on Redis can lose a message whose worker is killed between taking
it and recording it, and delivers some twice: the store and the sweeper put both right.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import redis
from celery import Celery
from celery.app.amqp import AMQP
from celery.exceptions import OperationalError as CeleryError
from kombu.connection import Connection
from kombu.entity import Exchange
from kombu.entity import Queue as BrokerQueue
from kombu.exceptions import OperationalError
from kombu.transport.redis import QoS

from worker.jobs.connection import SOCKET_TIMEOUT_S, sentinel_options, store_errors
from worker.jobs.credentials import UrlCredentials, credentials_of
from worker.jobs.errors import QueueUnavailable, StoreUnavailable
from worker.jobs.job import JobRef, QueueName
from worker.jobs.keys import QUEUES
from worker.jobs.redis_errors import store_error
from worker.jobs.redis_url import RedisUrl, parse
from worker.jobs.settings import (
    HARD_LIMIT_MARGIN_S,
    SOFT_LIMIT_MARGIN_S,
    SOFT_SHUTDOWN_S,
    StoreSettings,
)

TASK_NAME = "limelight.explain"

# Redis's lists are read in this order: what a seat is kept for is not to wait behind a backlog.
CALLED, USUAL = 0, 1

_RETRY_PUBLISH = MappingProxyType(
    {"max_retries": 1, "interval_start": 0.1, "interval_step": 0.1, "interval_max": 0.2}
)


def celery_app(settings: StoreSettings) -> Celery:
    """Make the Celery application that web publishes with and the worker runs.

    Nothing is connected to before the first message is sent or taken.
    """
    where = parse(settings.redis_url)
    app = Celery(
        "limelight",
        broker=where.broker_url,
        amqp=_amqp(credentials_of(settings)),
        set_as_current=False,
    )
    app.conf.update(_messages())
    app.conf.update(_execution(settings))
    app.conf.update(_broker(settings, where))
    return app


class _FreeingQoS(QoS):
    """Counts a message as done with, also where Redis could not be told.

    kombu's own counts it for ever, and a worker fetches no more than it has processes for. Redis
    delivers the message again; the claim is refused then.
    """

    def ack(self, delivery_tag: str) -> None:
        try:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]
        except Exception:
            self._quick_ack(delivery_tag)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue=requeue)  # type: ignore[no-untyped-call]
        except Exception:
            self._quick_ack(delivery_tag)
            raise


def _amqp(credentials: UrlCredentials) -> type[AMQP]:
    """Have the broker's connections ask who we are, and free places; Celery cannot be told so."""

    class AskingConnection(Connection):
        def __init__(self, *args: Any, **options: Any) -> None:
            options["credential_provider"] = credentials
            super().__init__(*args, **options)  # type: ignore[no-untyped-call]  # kombu has few.

        def create_transport(self) -> Any:
            transport = super().create_transport()  # type: ignore[no-untyped-call]
            transport.Channel = type("Channel", (transport.Channel,), {"QoS": _FreeingQoS})
            return transport

    class AskingAMQP(AMQP):  # type: ignore[misc]  # Celery has no types.
        Connection = AskingConnection

    return AskingAMQP


def _broker_queue(name: QueueName) -> BrokerQueue:
    # The default exchange needs no bindings in Redis, so an emptied Redis loses none. kombu has
    # types for some of its parts only.
    exchange = Exchange("", type="direct")  # type: ignore[no-untyped-call]
    return BrokerQueue(name, exchange, routing_key=name)  # type: ignore[no-untyped-call]


def _messages() -> dict[str, Any]:
    return {
        "task_queues": [_broker_queue(name) for name in QUEUES],
        "task_default_queue": QUEUES[0],
        "task_default_exchange": "",
        "task_default_routing_key": QUEUES[0],
        # A misspelt queue would be made, and never be read.
        "task_create_missing_queues": False,
        # JSON alone: pickle runs what a message tells it to.
        "task_serializer": "json",
        "accept_content": ["json"],
        "result_accept_content": ["json"],
        # The record holds the result, and web polls that.
        "task_ignore_result": True,
        "result_backend": None,
        # A publisher must not hang with a Redis that is away: the sweeper publishes later.
        "task_publish_retry": True,
        "task_publish_retry_policy": dict(_RETRY_PUBLISH),
    }


def _execution(settings: StoreSettings) -> dict[str, Any]:
    return {
        # A message is removed once its job was left, so a killed worker's come back.
        "task_acks_late": True,
        # Also when only the child was lost. By itself this loops for ever with a job that kills
        # its worker; the claim counts attempts and ends that.
        "task_reject_on_worker_lost": True,
        # No message waits in a worker that is busy while another is free.
        "worker_prefetch_multiplier": 1,
        "task_soft_time_limit": settings.job_limit_s + SOFT_LIMIT_MARGIN_S,
        "task_time_limit": settings.job_limit_s + HARD_LIMIT_MARGIN_S,
        # Children are replaced now and then: image libraries fragment memory.
        "worker_max_tasks_per_child": settings.child_jobs,
        "worker_max_memory_per_child": settings.child_memory_mb * 1024,  # In KiB.
        "worker_soft_shutdown_timeout": SOFT_SHUTDOWN_S,
        # A job outlives an outage of the broker that is shorter than its lease, which has its own
        # way to Redis. Its message cannot be acknowledged any more and comes again; the claim is
        # then refused. Written out, because Celery means to end such jobs by default.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # Nobody listens to these, and each would be a write to Redis.
        "worker_send_task_events": False,
        "task_send_sent_event": False,
        # Nobody asks workers anything either. But while all children are busy, the connection that
        # waits for questions is the only one that is watched: without it a worker whose Redis went
        # away before it could acknowledge never fetches again.
        "worker_enable_remote_control": True,
        # The environment and the command line belong to the composition root.
        "worker_hijack_root_logger": False,
    }


def _broker(settings: StoreSettings, where: RedisUrl) -> dict[str, Any]:
    sentinel = {}
    if where.master is not None:
        sentinel = {"master_name": where.master, "sentinel_kwargs": sentinel_options(settings)}
    return {
        "broker_use_ssl": None if where.tls is None else dict(where.tls),
        # A worker waits for Redis for as long as it takes, at the start as well as later.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # Also when Redis answers that it is full, or that a key may not be read: an operator
        # mends that, and until then the log says it. Else Celery would end.
        "broker_channel_error_retry": True,
        "broker_connection_timeout": SOCKET_TIMEOUT_S,
        "broker_transport_options": {
            # Longer than any message is held, or it would be delivered again meanwhile.
            "visibility_timeout": settings.message_hidden_s,
            # Without these a worker whose peer vanished reads for ever. The wait for a message is
            # given up an interval after its end was due; there is a look in each interval.
            "socket_timeout": SOCKET_TIMEOUT_S,
            "socket_connect_timeout": SOCKET_TIMEOUT_S,
            "socket_keepalive": True,
            "health_check_interval": 3,
            # Messages of a lost worker are looked for each second, not each hundred.
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            "queue_order_strategy": "worker.jobs.queue_order:InteractiveMostly",
            "priority_steps": [CALLED, USUAL],
            **sentinel,
        },
    }


class Queue:
    """Publishes references."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def publish(self, ref: JobRef, queue_name: QueueName, *, is_called: bool = False) -> None:
        """Tell the workers that there is a job. Its reference is all that is sent.

        Parameters
        ----------
        is_called : bool
            Whether it is to be taken before all others, because its model waits for it.

        Raises
        ------
        QueueUnavailable
            If the broker cannot be reached or takes nothing. The sweeper publishes the job later.
        """
        try:
            with store_errors():
                self._app.send_task(
                    TASK_NAME,
                    args=[str(ref)],
                    queue=queue_name,
                    priority=CALLED if is_called else USUAL,
                )
        except (OperationalError, CeleryError, StoreUnavailable) as error:
            cause = error.__cause__
            told = store_error(cause) if isinstance(cause, redis.RedisError) else None
            raise QueueUnavailable(f"the queue cannot be used: {told or error}") from error
