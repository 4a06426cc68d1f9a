from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import logging, structlog
from web.logs import add_request
from worker.telemetry.logs import configure_logging
configure_logging("INFO", also=[add_request])
def fail():
    image = "canary-pixels"
    raise RuntimeError("it broke")
try:
    fail()
except RuntimeError as error:
    structlog.get_logger("web.errors").error("request failed", exc_info=error)
logging.getLogger("gunicorn.error").info("Listening at: %s", "here")
"""


def test_logs_are_json_lines_with_traces_but_without_the_values_in_them():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    failure, listening = map(json.loads, done.stderr.splitlines())
    assert failure["event"] == "request failed"
    assert "it broke" in failure["exception"]
    assert "canary-pixels" not in done.stderr.replace('image = "canary-pixels"', "")
    assert listening["event"] == "Listening at: here"
    assert listening["level"] == "info"
