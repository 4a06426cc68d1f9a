from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from tests.support.records import Bench
from worker.jobs.errors import AnotherRequest, ErasedJob, StillCreating
from worker.jobs.idempotency import Answered, Idempotency, Reservation
from worker.jobs.job import JobRef

pytestmark = pytest.mark.integration

KEY = "order-4711"


@pytest.fixture
def reservations(client: redis.Redis) -> Iterator[Idempotency]:
    return Idempotency(client)


def reserve(
    reservations: Idempotency, *, key: str = KEY, fingerprint: str = "f", tenant: str = "default"
) -> Reservation:
    found = reservations.reserve(JobRef.new(tenant), key=key, fingerprint=fingerprint)
    assert isinstance(found, Reservation)
    return found


def answered(reservations: Idempotency, bench: Bench, answer: bytes = b"{}") -> JobRef:
    reservation = reserve(reservations)
    bench.create(reservation.job)
    reservations.keep(reservation, answer)
    return reservation.job


def test_the_first_answer_is_given_again(reservations: Idempotency, bench: Bench) -> None:
    ref = answered(reservations, bench, b'{"id": 1}')
    again = reservations.reserve(JobRef.new(), key=KEY, fingerprint="f")
    assert again == Answered(ref, b'{"id": 1}')


def test_one_of_many_at_once_gets_the_reservation(reservations: Idempotency) -> None:
    def attempt(_: int) -> bool:
        try:
            reserve(reservations)
        except StillCreating:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(attempt, range(50))) == 1


def test_another_request_under_the_key_is_told_so_at_any_time(
    reservations: Idempotency, bench: Bench
) -> None:
    reservation = reserve(reservations)
    with pytest.raises(AnotherRequest):
        reserve(reservations, fingerprint="g")
    bench.create(reservation.job)
    reservations.keep(reservation, b"{}")
    with pytest.raises(AnotherRequest):
        reserve(reservations, fingerprint="g")


def test_keys_are_a_tenants_own(reservations: Idempotency) -> None:
    reserve(reservations, tenant="acme")
    reserve(reservations, tenant="umbrella", fingerprint="g")


def test_a_refused_request_does_not_use_its_key_up(reservations: Idempotency) -> None:
    reservations.release(reserve(reservations))
    reserve(reservations, fingerprint="g")


def test_a_maker_that_died_is_succeeded_and_the_job_is_the_same(
    reservations: Idempotency, bench: Bench, client: redis.Redis
) -> None:
    first = reserve(reservations)
    bench.create(first.job)
    client.hset(first.key, "until", "1.0")
    second = reserve(reservations)
    assert second.job == first.job
    assert bench.create(second.job).ref == first.job
    # What the first says now counts no more, and its key is not let go.
    reservations.release(first)
    reservations.keep(first, b"late")
    with pytest.raises(StillCreating):
        reserve(reservations)


def test_a_reservation_whose_job_was_made_is_not_released(
    reservations: Idempotency, bench: Bench
) -> None:
    reservation = reserve(reservations)
    bench.create(reservation.job)
    reservations.release(reservation)
    with pytest.raises(StillCreating):
        reserve(reservations)


def test_everything_is_kept_for_a_day(
    reservations: Idempotency, bench: Bench, client: redis.Redis
) -> None:
    reservation = reserve(reservations)
    assert 86_000 < client.ttl(reservation.key) <= 86_400
    bench.create(reservation.job)
    client.expire(reservation.key, 5)
    reservations.keep(reservation, b"{}")
    assert 86_000 < client.ttl(reservation.key) <= 86_400


def test_an_erased_job_takes_its_answer_along_and_its_key_makes_no_second(
    reservations: Idempotency, bench: Bench, client: redis.Redis
) -> None:
    ref = answered(reservations, bench, b"private")
    bench.store.erase(ref)
    assert not any(b"private" in str(value).encode() for value in bench.dump().values())
    with pytest.raises(ErasedJob):
        reserve(reservations)


def test_the_key_itself_is_not_stored(reservations: Idempotency, client: redis.Redis) -> None:
    reserve(reservations, key="somebody@example.org")
    assert not any(b"example" in key for key in client.scan_iter())
