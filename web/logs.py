"""JSON logs of the web process, one object a line on standard error: ours and gunicorn's alike."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from gunicorn.glogging import Logger


def configure_logging(level: str) -> None:
    """Send all logs of this process through structlog.

    Traces are written without the values of local variables: those hold clients' images.

    Parameters
    ----------
    level : str
        Name of the least level that is written.
    """
    shared: list[structlog.typing.Processor] = [
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


class ServerLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types.
    """gunicorn's logger without handlers of its own, so that its lines go where ours go."""

    def setup(self, cfg: Any) -> None:
        """Let gunicorn's two loggers hand their records up."""
        self.loglevel = logging.getLogger().level
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True
        # One line for each request would cost more than many a request.
        self.access_log.setLevel(logging.WARNING)
