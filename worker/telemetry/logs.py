"""JSON logs, one object a line on standard error, ours and the libraries' alike."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable

import structlog

from worker.telemetry.trouble import AGAIN_S

# Celery tells of every task at INFO, run_job says the same with the job's reference; and its pool
# ("multiprocessing") tells of every step of every child.
NOISY = ("celery.worker.strategy", "celery.app.trace", "multiprocessing")
# They tell of each failure of what is tried every second, with its trace.
REPETITIVE = ("kombu.asynchronous.hub", "kombu.transport.redis")


class OnceAMinute(logging.Filter):
    """Lets the same message of a library pass once a minute."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._passed: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the message is to be written."""
        now = self._clock()
        self._passed = {text: at for text, at in self._passed.items() if now - at < AGAIN_S}
        return self._passed.setdefault(record.getMessage(), now) == now


def configure_logging(level: str, *, also: Iterable[structlog.typing.Processor] = ()) -> None:
    """Send all logs of this process through structlog.

    Traces are written without the values of local variables: those hold clients' images.

    Parameters
    ----------
    level : str
        Name of the least level that is written.
    also : iterable of structlog processors
        What adds to each line, ours or a library's, the circumstances in which it was written.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        *also,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for repetitive in REPETITIVE:
        logging.getLogger(repetitive).filters[:] = [OnceAMinute()]
