"""What all workers together ask of each model: seats, and a circuit for a model that fails.

A job takes a seat before its first Predict call and gives it up after the last. Without a free one
it goes back to the queue, so that no worker is kept from the jobs of another model. The seats and
what was learned of the model are in Redis, by Redis's clock; a seat is leased, so that a worker
that dies leaves none behind.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

import redis

from worker.jobs.connection import store_errors
from worker.jobs.job import JobRef
from worker.jobs.keys import Keys
from worker.jobs.scripts import Argument, Scripts

Reason = Literal["model-busy", "circuit-open"]
Outcome = Literal["worked", "failed", "neither"]

# Attempts in a row that found the model server unusable before its circuit opens, and for how
# long: doubled each time that the job which is let through finds it no better.
FAILURES = 3
OPEN_S = 5.0
LONGEST_OPEN_S = 60.0
# How soon a job asks again: the one that has waited longest first, each of the others a little
# later. So the same few ask again and again, however many wait.
ASK_AGAIN_S = 0.25
PER_PLACE_S = 0.05
LONGEST_WAIT_S = 30.0


class ModelBusy(Exception):
    """The model takes no further job now.

    Attributes
    ----------
    reason : str
        ``"model-busy"``: other jobs have all the seats. ``"circuit-open"``: its server could not
        be used several times in a row, and is left alone for a while.
    retry_in_s : float
        When to ask again.
    """

    def __init__(self, model: str, reason: Reason, retry_in_s: float) -> None:
        super().__init__(f"model {model!r} takes no job now: {reason}")
        self.reason = reason
        self.retry_in_s = retry_in_s


@dataclass(frozen=True, kw_only=True)
class Seat:
    """What a seat allows.

    Attributes
    ----------
    in_flight : int
        Calls that the job may have under way at once.
    images : int or None
        Images in a call, as the last job found it; None if no job did.
    """

    in_flight: int
    images: int | None = None


@dataclass(frozen=True, kw_only=True)
class ModelTraffic:
    """How a model is used now.

    Attributes
    ----------
    seats : int
        Jobs that have it under way.
    waiting : int
        Jobs that asked for a seat and got none.
    limit : int or None
        Calls that may be in flight over all workers: the profile's, or fewer while the server is
        given way; None if no job has asked yet.
    images : int or None
        Images in a call.
    circuit_open_s : float
        Seconds until a job is let through again; 0 while the circuit is closed.
    """

    seats: int
    waiting: int
    limit: int | None
    images: int | None
    circuit_open_s: float


class Traffic:
    """Seats and circuits in Redis. Every method raises ``StoreUnavailable`` when that is away."""

    def __init__(self, client: redis.Redis, *, prefix: str = "limelight") -> None:
        self._redis = client
        self._keys = Keys(prefix)
        self._scripts = Scripts(client)

    def knock(self, model: str, *, who: JobRef, since: float) -> None:
        """Go on if the model's circuit is closed; take no seat.

        Raises
        ------
        ModelBusy
        """
        self._enter(model, who=who, since=since, most=1, lease_s=0.0)

    def enter(self, model: str, *, who: JobRef, since: float, most: int, lease_s: float) -> Seat:
        """Take a seat.

        Parameters
        ----------
        model : str
        who : JobRef
            The job; it has one seat, however often it asks.
        since : float
            When the job was created, in epoch seconds: the order in which those who wait ask again.
        most : int
            Most calls in flight over all workers.
        lease_s : float
            How long the seat is kept without being renewed.

        Raises
        ------
        ModelBusy
        """
        _, in_flight, images = self._enter(model, who=who, since=since, most=most, lease_s=lease_s)
        return Seat(in_flight=int(in_flight), images=int(images) or None)

    def _enter(
        self, model: str, *, who: JobRef, since: float, most: int, lease_s: float
    ) -> list[bytes]:
        answer = cast(
            "list[bytes]",
            self._scripts.run(
                "enter_traffic", self._keys.of_traffic(model), [str(who), since, most, lease_s]
            ),
        )
        if answer[0] in (b"seated", b"free"):
            return answer
        reason, left_s, place = cast("Reason", answer[0].decode()), float(answer[1]), int(answer[2])
        wait_s = ASK_AGAIN_S + PER_PLACE_S * place
        # Not all at once, and not before the circuit lets anybody through.
        retry_in_s = left_s + min(wait_s, LONGEST_WAIT_S) * random.uniform(1.0, 1.5)  # noqa: S311
        raise ModelBusy(model, reason, retry_in_s)

    def renew(
        self, model: str, *, who: JobRef, most: int, lease_s: float, images: int, gave_way: bool
    ) -> Seat:
        """Keep the seat.

        Parameters
        ----------
        images : int
            In a call, as this job has it.
        gave_way : bool
            Whether the server turned out to be slower than it was, or pushed back, since the last
            time: then fewer calls are let in, over all workers.
        """
        arguments: list[Argument] = [str(who), most, lease_s, images, int(gave_way)]
        in_flight = self._scripts.run("renew_seat", self._keys.of_traffic(model), arguments)
        return Seat(in_flight=int(in_flight), images=images)

    def leave(self, model: str, *, who: JobRef, outcome: Outcome) -> float:
        """Give the seat up, if there is one; return for how long the circuit was opened, or 0."""
        arguments: list[Argument] = [str(who), outcome, FAILURES, OPEN_S, LONGEST_OPEN_S]
        return float(self._scripts.run("leave_seat", self._keys.of_traffic(model), arguments))

    def state(self, models: Iterable[str]) -> Mapping[str, ModelTraffic]:
        """Tell how each model is used now: one round trip."""
        names = list(models)
        with store_errors(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            for name in names:
                state, seats, waiting, _ = self._keys.of_traffic(name)
                pipeline.hmget(state, "limit", "most", "images", "opened_until")
                pipeline.zrange(seats, 0, -1, withscores=True)
                pipeline.zcard(waiting)
            (seconds, micros), *answers = pipeline.execute()
        now = seconds + micros / 1e6
        found = {}
        for name, (limit, most, images, opened_until), seats, waiting in zip(
            names, answers[::3], answers[1::3], answers[2::3], strict=True
        ):
            found[name] = ModelTraffic(
                seats=sum(until > now for _, until in seats),
                waiting=waiting,
                limit=min((int(one) for one in (limit, most) if one), default=None),
                images=None if images is None else int(images),
                circuit_open_s=max(0.0, float(opened_until or 0) - now),
            )
        return found
