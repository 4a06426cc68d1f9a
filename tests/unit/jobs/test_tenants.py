from __future__ import annotations

import pytest

from worker.jobs.tenants import Tenants, TenantsError, TenantSettings, load_tenants


def write(tmp_path, text):
    file = tmp_path / "tenants.toml"
    file.write_text(text)
    return file


def test_without_a_file_every_tenant_has_the_defaults():
    assert load_tenants(None) == Tenants()
    assert load_tenants(None).of("anybody") == TenantSettings()


def test_what_a_tenant_does_not_say_is_as_the_files_defaults_say(tmp_path):
    file = write(
        tmp_path,
        """
        [defaults]
        rate_limit = "60/minute"
        queue_limit = 7

        [tenants.acme]
        queue_limit = 9
        rate_limit = "1/second;20/minute"

        [tenants.small]
        max_retention_s = 600
        """,
    )
    tenants = load_tenants(file)
    assert (tenants.of("acme").queue_limit, tenants.of("acme").rate_limit) == (
        9,
        "1/second;20/minute",
    )
    assert (tenants.of("small").queue_limit, tenants.of("small").max_retention_s) == (7, 600)
    assert (tenants.of("unnamed").queue_limit, tenants.of("unnamed").max_retention_s) == (7, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1", "unknown key 'x'"),
        ("[tenants.acme]\nqueue_limits = 1", r"\[tenants.acme\] queue_limits"),
        ("[tenants.acme]\nqueue_limit = 0", "queue_limit"),
        ("[tenants.acme]\nqueue_limit = '1'", "queue_limit"),
        ("[tenants.acme]\nrate_limit = '60 per minute'", "rate_limit"),
        ("[defaults]\nrate_limit = '0/minute'", r"\[defaults\] rate_limit"),
        ("[tenants.Acme]", r"\[tenants.Acme\] is no tenant's name"),
        ("tenants = 1", "must be a table"),
        ("[tenants]\nacme = 1", "must be a table"),
        ("defaults = 1", r"\[defaults\]"),
        ("[", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_told_by_its_place(tmp_path, text, told):
    with pytest.raises(TenantsError, match=told):
        load_tenants(write(tmp_path, text))


def test_every_problem_is_told_at_once(tmp_path):
    with pytest.raises(TenantsError) as caught:
        load_tenants(write(tmp_path, "x = 1\n[tenants.a]\ny = 1\n[tenants.b]\nqueue_limit = 0"))
    assert len(caught.value.problems) == 3


def test_a_file_that_is_not_there_is_told_with_its_setting(tmp_path):
    with pytest.raises(TenantsError, match="LIMELIGHT_TENANTS_FILE"):
        load_tenants(tmp_path / "none.toml")
