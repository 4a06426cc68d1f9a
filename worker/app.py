"""The composition root of the worker: settings are read and things are built here, nowhere else.

    limelight-worker            Celery's parent, its pool of children, and the steward
    limelight-worker check      try every profile with its model server, and say what is wrong
    limelight-worker match      find what a profile has to say for a photo to score as in production
    limelight-worker steward    the steward alone (the worker starts it by itself)

Three kinds of process, three kinds of connection. The parent talks to the broker only. Each child
builds its store, blobs and models when it gets its first job, so no connection crosses a fork.
The steward is a program of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import structlog
from billiard import current_process
from billiard.util import get_logger as pool_logger
from celery import Celery, bootsteps, signals
from celery.apps.worker import Worker
from pydantic import ValidationError
from threadpoolctl import threadpool_limits

from worker.allocation import keep_freed_memory
from worker.arguments import CHECK, MATCH, STEWARD, parse
from worker.check import check_profiles
from worker.consumer import waiting_consumer
from worker.explain import segments
from worker.failures import UnknownModel
from worker.jobs.blobs import open_blobs
from worker.jobs.catalogue import Catalogue
from worker.jobs.condition import problems_at_start, refusal_now
from worker.jobs.connection import connect
from worker.jobs.environment import problems_of
from worker.jobs.job import JobRef
from worker.jobs.queue import Queue, celery_app
from worker.jobs.store import Store
from worker.jobs.sweeper import Sweeper
from worker.jobs.traffic import Traffic
from worker.jobs.usher import Usher
from worker.match.command import match
from worker.metrics import WorkerMetrics
from worker.ports import Limits, Model, Ports
from worker.run_job import run_job
from worker.serving.errors import ProfileError
from worker.serving.model import ServedModel
from worker.serving.profiles import ModelProfile, load_profiles
from worker.settings import WorkerSettings
from worker.shutdown import ShutdownFlag, begin_shutdown
from worker.steward import Census, keep_house
from worker.tasks import register
from worker.telemetry import metrics, spans
from worker.telemetry.endpoint import CannotListen
from worker.telemetry.folders import own_temporary_files
from worker.telemetry.logs import configure_logging

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

STEWARD_CHECK_S = 5.0
STEWARD_STOP_S = 5.0
LIBRARIES = ("limelight", "numpy", "pillow", "scikit-image", "scikit-learn", "scipy")
# Set before numpy loads: sums must not depend on how many threads a machine has.
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main(argv: list[str] | None = None) -> int:
    """Run a worker, or its steward, until it is told to stop; return the exit code."""
    arguments = parse(sys.argv[1:] if argv is None else argv)
    try:
        settings = WorkerSettings()
        profiles = load_profiles(settings.models_file)
    except ValidationError as error:
        return _refuse(problems_of(error))
    except ProfileError as error:
        return _refuse(error.problems)
    # Those are read by a person: what they find is their output, not the retries on the way.
    for_a_person = arguments.command in (CHECK, MATCH)
    configure_logging("ERROR" if for_a_person else settings.log_level)
    if arguments.command == CHECK:
        return check_profiles(profiles)
    if arguments.command == MATCH:
        return match(
            profiles,
            model=arguments.model,
            photo=arguments.photo,
            scores=arguments.scores,
            tolerance=arguments.tolerance,
        )
    return (run_steward if arguments.command == STEWARD else run_worker)(settings, profiles)


def _refuse(problems: Iterable[str]) -> int:
    lines = "".join(f"  {problem}\n" for problem in problems)
    sys.stderr.write(f"limelight-worker cannot start:\n{lines}")
    return os.EX_CONFIG


def run_worker(settings: WorkerSettings, profiles: Mapping[str, ModelProfile]) -> int:
    """Run Celery's parent and its pool, with a steward beside them."""
    address = settings.metrics_address
    if address is not None:
        # The steward listens there. That it cannot is to be known before anything runs.
        try:
            address.check()
        except CannotListen as error:
            return _refuse([f"{error} (LIMELIGHT_WORKER_METRICS_BIND)."])
    sharing = metrics.sharing() if address is not None else nullcontext()
    with own_temporary_files(), sharing:
        return _run_worker(settings, profiles)


def _run_worker(settings: WorkerSettings, profiles: Mapping[str, ModelProfile]) -> int:
    log.info("worker starting", settings=settings.masked(), models=sorted(profiles))
    for problem in problems_at_start(settings):
        log.warning("redis", problem=problem)
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    keep_freed_memory()
    flag = ShutdownFlag()
    celery = build_celery(settings, profiles, flag=flag)
    worker = Worker(
        app=celery,
        hostname=f"limelight@{settings.worker_name}",
        pool="prefork",
        concurrency=settings.concurrency,
        queues=list(settings.queues),
        consumer_cls=waiting_consumer(partial(refusal_now, settings)),
        quiet=True,
        # Workers do not talk to each other: what they share is in the store.
        without_gossip=True,
        without_mingle=True,
    )
    segments.load()
    worker.start()
    return int(worker.exitcode or 0)


def build_celery(
    settings: WorkerSettings, profiles: Mapping[str, ModelProfile], *, flag: ShutdownFlag
) -> Celery:
    """Return the Celery application with the task, the steward and our reactions to signals."""
    celery = celery_app(settings)
    register(celery, run=child_runner(settings, profiles, flag=flag))
    celery.steps["worker"].add(StewardStep)
    # A receiver of this signal keeps Celery from installing its own log handlers.
    signals.setup_logging.connect(_keep_logging, weak=False)
    signals.worker_process_init.connect(_limit_threads, weak=False)
    signals.worker_process_shutdown.connect(lambda **_: spans.stop(), weak=False)
    signals.worker_shutting_down.connect(
        lambda **_: begin_shutdown(flag, grace_s=settings.soft_shutdown_s), weak=False
    )
    return celery


def child_runner(
    settings: WorkerSettings, profiles: Mapping[str, ModelProfile], *, flag: ShutdownFlag
) -> Callable[[JobRef], object]:
    """Return what a child does with a reference; its ports are built with its first job."""

    @cache
    def ports() -> Ports:
        return build_ports(settings, profiles, shutting_down=flag.is_set)

    def run(ref: JobRef) -> object:
        with structlog.contextvars.bound_contextvars(job=ref.id, tenant=ref.tenant):
            return run_job(ref, ports=ports())

    return run


def build_ports(
    settings: WorkerSettings,
    profiles: Mapping[str, ModelProfile],
    *,
    shutting_down: Callable[[], bool],
) -> Ports:
    """Connect one process to the store, the blobs and the model servers."""
    redis = connect(settings)
    if metrics.is_shared():
        metrics.count_at(_place)
    spans.start("limelight-worker")
    watch = WorkerMetrics()

    @cache
    def model(name: str) -> Model:
        if name not in profiles:
            raise UnknownModel(name)
        return ServedModel(profiles[name], observe=watch.call)

    store = Store(redis)
    return Ports(
        store=store,
        blobs=open_blobs(settings.blob_url, redis),
        seats=Traffic(redis),
        # An application of its own: what the parent connected with is not for a child.
        call=Usher(store, Queue(celery_app(settings))).call,
        model=model,
        worker=f"{settings.worker_name}/{os.getpid()}",
        limits=Limits(lease_s=settings.lease_s, job_limit_s=settings.job_limit_s),
        shutting_down=shutting_down,
        libraries=library_versions(),
        reuse_results=settings.reuse_results,
        observer=watch,
    )


def _place() -> str:
    """Return the child's place in the pool; a child that replaces another has the same."""
    return f"child-{current_process().index}"


def library_versions() -> dict[str, str]:
    """Return the versions that an explanation depends on."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            # Run from a source tree that was never installed.
            found[name] = "unknown"
    return found


def run_steward(settings: WorkerSettings, profiles: Mapping[str, ModelProfile]) -> int:
    """Publish the catalogue and sweep, until SIGTERM, Ctrl-C or the end of the parent."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # Ends it wherever it is: each duty is made of steps that may be repeated.
        signal.signal(number, lambda *_: sys.exit(os.EX_OK))
    redis = connect(settings)
    worker = f"{settings.worker_name}/{os.getpid()}"
    if settings.metrics_address is not None and metrics.is_shared():
        metrics.count_at(lambda: STEWARD)
        try:
            metrics.serve(metrics.shared_registry(), settings.metrics_address)
        except CannotListen as error:
            # It was free when the worker started. Nobody is to go without a sweeper for that.
            log.error("no metrics", error=str(error))
    watch = WorkerMetrics()
    sweeper = Sweeper(
        Store(redis),
        open_blobs(settings.blob_url, redis),
        Queue(celery_app(settings)),
        worker=worker,
    )
    parent = os.getppid()

    def sweep() -> None:
        if os.getppid() != parent:
            sys.exit(os.EX_OK)
        sweeper.sweep()

    census = Census(
        {name: ServedModel(profile, observe=watch.call) for name, profile in profiles.items()},
        catalogue=Catalogue(redis),
        worker=worker,
    )
    keep_house(
        census=census.take,
        sweep=sweep,
        census_every_s=settings.catalogue_interval_s,
        sweep_every_s=settings.sweep_interval_s,
        stop=threading.Event(),
    )
    return os.EX_OK


class StewardStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
    """Runs the steward beside the pool, and again if it ends."""

    requires = frozenset({"celery.worker.components:Timer"})

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def start(self, parent: Any) -> None:
        """Start the steward, and look every few seconds whether it is there."""
        self._ensure()
        parent.timer.call_repeatedly(STEWARD_CHECK_S, self._ensure)

    def stop(self, parent: Any) -> None:
        """End the steward; it is the parent's child and leaves with it."""
        self._stopped = True
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=STEWARD_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    terminate = stop

    def _ensure(self) -> None:
        if self._stopped or (self._process is not None and self._process.poll() is None):
            return
        if self._process is not None:
            log.error("the steward ended, starting it again", code=self._process.returncode)
        # Our own interpreter and module, nothing from outside.
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "worker.app", STEWARD]
        )


def _keep_logging(**_: Any) -> None:
    """Leave the log handlers as ``configure_logging`` has set them, and let the pool use them too.

    Else what it says of lost children goes past them, as plain text.
    """
    pool_logger().propagate = True


def _limit_threads(**_: Any) -> None:
    """Do sums in one thread: the same bytes on any machine, and children do not compete."""
    threadpool_limits(limits=1)


if __name__ == "__main__":
    sys.exit(main())
