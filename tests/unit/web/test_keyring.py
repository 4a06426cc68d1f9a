from __future__ import annotations

import pytest

from tests.unit.web.fakes import NOW, MemoryKeys
from web import keyring
from web.keyring import OPEN_FOR_S, REMEMBERED_S, KeyRing


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys():
    keys = MemoryKeys()
    keys.add("ll_good")
    return keys


@pytest.fixture
def ring(keys, clock):
    return KeyRing(keys, clock=clock, wall_clock=clock)


def test_a_good_key_is_asked_for_again_only_after_a_while(ring, keys, clock):
    for _ in range(5):
        assert ring.holder_of("ll_good").tenant == "acme"
    assert keys.reads == 1
    clock.now += REMEMBERED_S
    assert ring.holder_of("ll_good") is not None
    assert keys.reads == 2


def test_a_revoked_key_is_refused_when_it_is_asked_for_again(ring, keys, clock):
    ring.holder_of("ll_good")
    keys.change("ll_good", revoked_at=NOW)
    clock.now += REMEMBERED_S
    assert ring.holder_of("ll_good") is None
    assert ring.holder_by_id("0" * 12) is None


def test_a_key_expires_while_it_is_remembered(ring, keys, clock):
    keys.change("ll_good", expires_at=NOW + 1)
    assert ring.holder_of("ll_good") is not None
    clock.now += 1
    assert ring.holder_of("ll_good") is None


def test_a_key_that_is_made_after_it_was_refused_works_at_once(ring, keys):
    assert ring.holder_of("ll_new") is None
    keys.add("ll_new")
    assert ring.holder_of("ll_new") is not None


def test_a_session_that_was_ended_here_opens_nothing_any_more(ring):
    assert ring.holder_in_session("s", key_id="0" * 12) is not None
    ring.end_session("s", lasts_s=60)
    assert ring.holder_in_session("s", key_id="0" * 12) is None


def test_no_text_of_a_key_is_kept_in_memory(ring):
    ring.holder_of("ll_good")
    assert "ll_good" not in repr(vars(ring)["_good"].keys())


def test_what_is_remembered_is_bounded(ring, keys, monkeypatch):
    monkeypatch.setattr(keyring, "_MOST_REMEMBERED", 10)
    for number in range(25):
        ring.holder_of(keys.add(f"ll_{number}"))
    assert len(vars(ring)["_good"]) <= 10


def test_the_first_key_is_noticed_within_a_second(clock):
    keys = MemoryKeys()
    ring = KeyRing(keys, clock=clock, wall_clock=clock)
    assert not ring.configured()
    keys.add("ll_good")
    clock.now += OPEN_FOR_S
    assert ring.configured()
    assert OPEN_FOR_S <= 1
