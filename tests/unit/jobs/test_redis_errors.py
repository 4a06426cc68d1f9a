"""Texts are those of Redis 6.2.14 and 7.0.15, as redis-py passes them on."""

from __future__ import annotations

import pytest
import redis
from redis._parsers.base import BaseParser
from redis.sentinel import MasterNotFoundError

from worker.jobs.errors import StoreFull, StoreMisconfigured, StoreRefuses, StoreUnavailable
from worker.jobs.redis_errors import problem_of, store_error

TEMPORARY = {
    "NOREPLICAS": "NOREPLICAS Not enough good replicas to write.",
    "READONLY": "READONLY You can't write against a read only replica.",
    "MISCONF": "MISCONF Redis is configured to save RDB snapshots, but it is currently not able to "
    "persist on disk. Commands that may modify the data set are disabled.",
    "LOADING": "LOADING Redis is loading the dataset in memory",
    "MASTERDOWN": "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to "
    "'no'.",
    "CLUSTERDOWN": "CLUSTERDOWN Hash slot not served",
    "TRYAGAIN": "TRYAGAIN Multiple keys request during rehashing of slot",
    "UNBLOCKED": "UNBLOCKED force unblock from blocking operation, instance state changed "
    "(master -> replica?)",
    "BUSY": "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN "
    "NOSAVE.",
    "maxclients": "ERR max number of clients reached",
}
SETTINGS = {
    "NOAUTH": "NOAUTH Authentication required.",
    "WRONGPASS": "WRONGPASS invalid username-password pair or user is disabled.",
    "NOPERM": "NOPERM this user has no permissions to run the 'set' command",
    "none given": "ERR AUTH <password> called without any password configured for the default "
    "user. Are you sure your configuration is correct?",
    "protected": "DENIED Redis is running in protected mode because protected mode is enabled",
    "databases": "ERR DB index is out of range",
    "renamed": "ERR unknown command 'EVALSHA', with args beginning with: ",
    "cluster mode": "CROSSSLOT Keys in request don't hash to the same slot",
    "another node": "MOVED 3999 127.0.0.1:6381",
    "SELECT": "ERR SELECT is not allowed in cluster mode",
}
# A script of Redis 7 puts its name behind the text; Redis 6.2 puts its own words before it.
BEHIND = " script: 897afd4d23ee70efe0ede1685c1c94834429da77, on @user_script:1."
BEFORE = (
    "ERR Error running script (call to f_897afd4d23ee70efe0ede1685c1c94834429da77): "
    "@user_script:52: @user_script: 52: -"
)
# What a client sends stands in the texts of pipelines.
PIPELINE = "Command # 2 (HSET limelight:key -WRONGTYPE because of: OOM) of pipeline caused error: "


def plain(text: str) -> redis.RedisError:
    error = BaseParser.parse_error(text)
    assert isinstance(error, redis.RedisError)
    return error


def behind(text: str) -> redis.RedisError:
    return plain(text + BEHIND)


def before(text: str) -> redis.RedisError:
    return plain(BEFORE + text)


def in_pipeline(text: str) -> redis.RedisError:
    error = plain(text)
    error.args = (PIPELINE + str(error),)
    return error


def in_transaction(text: str) -> redis.RedisError:
    return plain(f"EXECABORT Transaction discarded because of: {text}")


FORMS = [plain, behind, before, in_pipeline, in_transaction]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
@pytest.mark.parametrize("text", TEMPORARY.values(), ids=TEMPORARY)
def test_what_may_pass_is_unavailable_and_says_what_to_do(form, text: str) -> None:
    found = store_error(form(text))
    assert type(found) is StoreRefuses
    assert ":" in found.problem
    assert "Redis says" in str(found)


@pytest.mark.parametrize("form", [plain, in_pipeline], ids=lambda form: form.__name__)
@pytest.mark.parametrize("text", SETTINGS.values(), ids=SETTINGS)
def test_what_an_operator_has_to_change_is_told_as_a_setting(form, text: str) -> None:
    found = store_error(form(text))
    assert type(found) is StoreMisconfigured
    assert ":" in found.problem


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_a_redis_at_its_limit_is_full(form) -> None:
    text = "OOM command not allowed when used memory > 'maxmemory'."
    assert type(store_error(form(text))) is StoreFull
    assert "maxmemory" in problem_of(form(text))


@pytest.mark.parametrize(
    "text",
    [
        BEFORE.removesuffix("-") + "The user executing the script can't run this command",
        "ERR The user executing the script can't access at least one of the keys" + BEHIND,
    ],
)
def test_a_script_that_may_not_do_what_it_wants_lacks_rules_of_the_acl(text: str) -> None:
    found = store_error(plain(text))
    assert type(found) is StoreMisconfigured
    assert "ACL" in found.problem


def test_sentinels_that_know_no_primary_are_told_in_a_sentence() -> None:
    found = store_error(
        MasterNotFoundError("No master found for 'm' : <redis.client.Redis(<...>)>")
    )
    assert type(found) is StoreRefuses
    assert "sentinel_password" in found.problem
    assert str(found).endswith("Redis says: No master found for 'm'")


def test_what_is_no_redis_is_told_as_a_wrong_address() -> None:
    found = store_error(redis.InvalidResponse("Protocol Error: b'HTTP/1.1 400 Bad Request'"))
    assert type(found) is StoreMisconfigured
    assert "address" in found.problem


@pytest.mark.parametrize(
    "error", [redis.ConnectionError("Error 111 connecting"), redis.TimeoutError("Timeout reading")]
)
def test_a_redis_that_does_not_answer_is_unavailable(error: redis.RedisError) -> None:
    assert type(store_error(error)) is StoreUnavailable


@pytest.mark.parametrize(
    "text",
    [
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "ERR Error compiling script (new function): user_script:1: '=' expected near 'READONLY'",
        BEFORE + "WRONGTYPE Operation against a key holding the wrong kind of value",
    ],
)
def test_a_mistake_of_ours_is_none_of_these(text: str) -> None:
    assert store_error(plain(text)) is None
    assert store_error(in_pipeline(text)) is None


def test_a_problem_names_no_address_and_no_user() -> None:
    found = store_error(plain("MOVED 3999 10.1.2.3:6381"))
    assert isinstance(found, StoreRefuses)
    assert "10.1.2.3" not in found.problem
