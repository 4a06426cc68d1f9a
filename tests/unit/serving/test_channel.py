from __future__ import annotations

import json

from worker.serving.channel import OPTIONS, Connection
from worker.serving.profile import ModelProfile
from worker.serving.signatures import listed

SETTINGS = dict(OPTIONS)


def test_servers_are_pinged_no_faster_than_they_tolerate() -> None:
    assert int(SETTINGS["grpc.keepalive_time_ms"]) >= 5 * 60 * 1000


def test_calls_are_spread_over_all_servers_of_a_name() -> None:
    config = json.loads(str(SETTINGS["grpc.service_config"]))
    assert config["loadBalancingConfig"] == [{"round_robin": {}}]


def test_answers_may_be_larger_than_grpc_allows_by_itself() -> None:
    assert int(SETTINGS["grpc.max_receive_message_length"]) > 4 << 20


def test_nothing_is_opened_before_the_first_call() -> None:
    connection = Connection(
        ModelProfile(name="m", servable="m", address="dns:///nowhere.invalid:1")
    )
    assert connection._current is None
    connection.close()


def test_names_are_listed_in_order() -> None:
    assert listed(["b", "a"]) == "'a', 'b'"
    assert listed([]) == "none"
