"""A real nginx on loopback, before a server of ours or of the test's."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.demo.redis_server import LOOPBACK, free_port

_NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
_CONFIGURATION = """
daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off; default_type text/html;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {http}
}}
"""


@contextmanager
def running(folder: Path, http: str, *, port: int) -> Iterator[None]:
    """Run nginx with what its ``http`` block is to hold, which listens at this port.

    Without nginx the test is skipped on a developer's machine, and fails where ``CI=true``.
    """
    if _NGINX is None:
        message = "nginx is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    (folder / "nginx.conf").write_text(_CONFIGURATION.format(folder=folder, http=http))
    command = [_NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port, process, folder / "error.log")
            yield
        finally:
            process.terminate()
            process.wait(timeout=10)


@contextmanager
def before_grpc(folder: Path, server: str, *, http2: bool = True) -> Iterator[int]:
    """Run nginx before a model server with what a ``server`` block is to hold; give its port."""
    port = free_port()
    kind = "http2" if http2 else ""
    block = f"server {{ listen {LOOPBACK}:{port} {kind}; {server} }}"
    with running(folder, block, port=port):
        yield port


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection((LOOPBACK, port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("nginx does not listen")
