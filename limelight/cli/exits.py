"""Exit codes, which scripts may rely on. They are documented in docs/client.md."""

from __future__ import annotations

from limelight.errors import (
    BadAnswer,
    BadSettings,
    JobFailed,
    LimelightError,
    ServerError,
    ServiceUnreachable,
    Unavailable,
    WaitedTooLong,
)

OK = 0
JOB_FAILED = 1
USAGE = 2
UNREACHABLE = 3
REFUSED = 4
TOO_LONG = 5
BAD_ANSWER = 6
INTERRUPTED = 130
PIPE_CLOSED = 141

_CODES: tuple[tuple[type[LimelightError], int], ...] = (
    (JobFailed, JOB_FAILED),
    (BadSettings, USAGE),
    (ServiceUnreachable, UNREACHABLE),
    (Unavailable, UNREACHABLE),
    (ServerError, UNREACHABLE),
    (WaitedTooLong, TOO_LONG),
    (BadAnswer, BAD_ANSWER),
)


def code_of(error: LimelightError) -> int:
    """Exit code for an error; what the service refused for any other reason is ``REFUSED``."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), REFUSED)
