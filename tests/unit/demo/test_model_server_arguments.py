from __future__ import annotations

from pathlib import Path

import pytest

from deploy.demo.model_server import parse_arguments


def test_models_and_labels_are_collected_by_name():
    models = ["--model", "a=/m/a", "--model", "b=/m/b=c"]
    labels = ["--labels", "a:stable=1", "--labels", "a:canary=2", "--labels", "b:stable=7"]
    arguments = parse_arguments([*models, *labels])
    assert arguments.models == {"a": Path("/m/a"), "b": Path("/m/b=c")}
    assert arguments.labels == {"a": {"stable": 1, "canary": 2}, "b": {"stable": 7}}


@pytest.mark.parametrize(
    ("option", "value", "form"),
    [
        ("--model", "/m/a", "NAME=DIR"),
        ("--model", "=/m/a", "NAME=DIR"),
        ("--labels", "stable=1", "NAME:LABEL=VERSION"),
        ("--labels", "a:stable=new", "NAME:LABEL=VERSION"),
    ],
)
def test_an_argument_of_another_form_is_shown_with_the_form(capsys, option, value, form):
    with pytest.raises(SystemExit) as ended:
        parse_arguments(["--model", "a=/m/a", option, value])
    assert ended.value.code == 2
    assert f"{value!r} is not {form}" in capsys.readouterr().err
