"""What all workers together ask of each model: seats, and a circuit for a model that fails.

A job takes a seat before its first Predict call and gives it up after the last. Without a free one
it goes back to the queue, so that no worker is kept from the jobs of another model, and is called
when its turn has come: whoever leaves a seat learns for which job it is kept. The seats and what
was learned of the model are in Redis, by Redis's clock; a seat is leased, so that a worker that
dies leaves none behind.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

import redis

from worker.jobs.connection import store_errors
from worker.jobs.job import JobRef, QueueName
from worker.jobs.keys import Keys
from worker.jobs.scripts import Argument, Scripts

Reason = Literal["model-busy", "circuit-open"]
Outcome = Literal["worked", "failed", "neither"]

# Attempts in a row that found the model server unusable before its circuit opens, and for how
# long: doubled each time that the job which is let through finds it no better.
FAILURES = 3
OPEN_S = 5.0
LONGEST_OPEN_S = 60.0
# How soon a job asks again that was not called, because a worker died or the limit was raised: the
# one that has waited longest first, each of the others a little later. So the same few ask again
# and again, however many wait.
ASK_AGAIN_S = 2.0
PER_PLACE_S = 0.1
LONGEST_WAIT_S = 30.0
# How long a seat is kept for the job that is called to it: a message, and a child that is free.
KEPT_S = 3.0


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
class Visitor:
    """A job that asks for a seat.

    Attributes
    ----------
    ref : JobRef
        It has one seat, however often it asks.
    queue : str
        While jobs of both queues wait, three of four seats go to interactive ones.
    since : float
        When it was created, in epoch seconds: within a queue, the order in which seats are given.
    """

    ref: JobRef
    queue: QueueName
    since: float


@dataclass(frozen=True, kw_only=True)
class Left:
    """What came of giving a seat up.

    Attributes
    ----------
    open_s : float
        For how long the model's circuit was opened; 0 if it was not.
    called : JobRef or None
        The waiting job for which the seat is kept now, and which has to be told.
    """

    open_s: float = 0.0
    called: JobRef | None = None


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
        Jobs that may have it under way at once, because the server was found to bear as many calls
        at a time: from 1 up to what the profile allows; None if no job has asked yet.
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

    def knock(self, model: str, *, who: Visitor, lease_s: float) -> None:
        """Go on if the model's circuit is closed; no seat is taken, unless to try a failed model.

        Raises
        ------
        ModelBusy
        """
        self._enter(model, who=who, most=1, lease_s=lease_s, knocks=True)

    def enter(self, model: str, *, who: Visitor, most: int, lease_s: float) -> Seat:
        """Take a seat.

        Parameters
        ----------
        model : str
        who : Visitor
        most : int
            Most calls in flight over all workers.
        lease_s : float
            How long the seat is kept without being renewed.

        Raises
        ------
        ModelBusy
        """
        _, in_flight, images = self._enter(model, who=who, most=most, lease_s=lease_s, knocks=False)
        return Seat(in_flight=int(in_flight), images=int(images) or None)

    def _enter(
        self, model: str, *, who: Visitor, most: int, lease_s: float, knocks: bool
    ) -> list[bytes]:
        arguments: list[Argument] = [
            str(who.ref), who.queue, who.since, most, lease_s, int(knocks)
        ]  # fmt: skip
        keys = self._keys.of_traffic(model)
        answer = cast("list[bytes]", self._scripts.run("enter_traffic", keys, arguments))
        if answer[0] in (b"seated", b"free"):
            return answer
        reason, left_s, place = cast("Reason", answer[0].decode()), float(answer[1]), int(answer[2])
        wait_s = ASK_AGAIN_S + PER_PLACE_S * place
        # Not all at once, and not before the circuit lets anybody through.
        retry_in_s = left_s + min(wait_s, LONGEST_WAIT_S) * random.uniform(1.0, 1.5)  # noqa: S311
        raise ModelBusy(model, reason, retry_in_s)

    def renew(
        self,
        model: str,
        *,
        who: JobRef,
        most: int,
        lease_s: float,
        images: int,
        proven: int,
        gave_way: bool,
    ) -> Seat:
        """Keep the seat.

        Parameters
        ----------
        images : int
            In a call, as this job has it.
        proven : int
            Calls at once of this job that were found to cost the server nothing: as many may be
            in flight over all workers.
        gave_way : bool
            Whether the server turned out to be slower than it was, or pushed back, since the last
            time: then fewer calls are let in, over all workers.
        """
        arguments: list[Argument] = [str(who), most, lease_s, images, proven, int(gave_way)]
        in_flight = self._scripts.run("renew_seat", self._keys.of_traffic(model), arguments)
        return Seat(in_flight=int(in_flight), images=images)

    def leave(self, model: str, *, who: JobRef, outcome: Outcome, most: int) -> Left:
        """Give the seat up, if there is one, and learn who is to have it next."""
        arguments: list[Argument] = [
            str(who), outcome, most, KEPT_S, FAILURES, OPEN_S, LONGEST_OPEN_S
        ]  # fmt: skip
        keys = self._keys.of_traffic(model)
        open_s, called = self._scripts.run("leave_seat", keys, arguments)
        return Left(open_s=float(open_s), called=JobRef.parse(called.decode()) if called else None)

    def state(self, models: Iterable[str]) -> Mapping[str, ModelTraffic]:
        """Tell how each model is used now: one round trip."""
        names = list(models)
        with store_errors(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.time()
            for name in names:
                state, seats, *waiting, _ = self._keys.of_traffic(name)
                pipeline.hmget(state, "limit", "most", "images", "opened_until")
                pipeline.zrange(seats, 0, -1, withscores=True)
                for queue in waiting:
                    pipeline.zcard(queue)
            (seconds, micros), *answers = pipeline.execute()
        now = seconds + micros / 1e6
        found = {}
        for name, (limit, most, images, opened_until), seats, interactive, bulk in zip(
            names, answers[::4], answers[1::4], answers[2::4], answers[3::4], strict=True
        ):
            found[name] = ModelTraffic(
                seats=sum(until > now for _, until in seats),
                waiting=interactive + bulk,
                limit=None if most is None else min(int(most), int(limit or 1)),
                images=None if images is None else int(images),
                circuit_open_s=max(0.0, float(opened_until or 0) - now),
            )
        return found
