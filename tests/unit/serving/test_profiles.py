from __future__ import annotations

from pathlib import Path

import pytest

from worker.serving.errors import ProfileError
from worker.serving.preparation import Preparation
from worker.serving.profile import CustomPreprocess
from worker.serving.profiles import ModelProfile, load_profiles


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models.toml"


def load(models: Path, text: str, **environ: str) -> dict[str, ModelProfile]:
    models.write_text(text)
    return dict(load_profiles(models, environ=environ))


def problems(models: Path, text: str, **environ: str) -> list[str]:
    with pytest.raises(ProfileError) as caught:
        load(models, text, **environ)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


def one_problem(models: Path, lines: str, **environ: str) -> str:
    """Return the only problem of a profile that is fine but for these lines."""
    text = f'[models.cat]\naddress = "dns:///host:8500"\n{lines}\n'
    (problem,) = problems(models, text, **environ)
    assert problem.startswith("models.toml: [models.cat] ")
    return problem.removeprefix("models.toml: [models.cat] ")


def test_an_address_is_enough(models: Path) -> None:
    profile = load(models, '[models.cat]\naddress = "dns:///host:8500"')["cat"]
    assert (profile.name, profile.servable) == ("cat", "cat")
    assert profile.address == "dns:///host:8500"
    assert (profile.version, profile.version_label) == (None, None)
    assert (profile.signature, profile.preprocess) == ("serving_default", "raw")
    assert (profile.resize, profile.interpolation) == ("stretch", "bilinear")
    assert (profile.activation, profile.encoding) == ("none", "png")
    assert (profile.max_batch_size, profile.max_in_flight, profile.deadline_s) == (32, 2, 30.0)


def test_every_key_is_read(models: Path) -> None:
    for name in ("labels.txt", "ca.pem", "cert.pem", "key.pem"):
        (models.parent / name).write_text("content")
    profile = load(
        models,
        """
        [models.cat]
        address = "ipv4:10.0.0.1:8500"
        servable = "efficientnet"
        version_label = "stable"
        signature = "predict_images"
        preprocess = { mean = [1, 2.5, 3], std = [4, 5, 6], order = "BGR" }
        resize = "short-side"
        short_side = 256
        resize_library = "tensorflow"
        interpolation = "area"
        antialias = true
        exif = "ignore"
        alpha = "drop"
        jpeg_dct = "fast"
        encoding = "jpeg"
        input = "image"
        input_size = [224, 200]
        channels = 3
        layout = "NCHW"
        output = "probabilities"
        activation = "softmax"
        labels = "labels.txt"
        max_batch_size = 64
        max_in_flight = 4
        metadata = { authorization = "env:SERVING_TOKEN" }
        tls = { ca = "ca.pem", cert = "cert.pem", key = "key.pem", server_name = "models" }
        deadline_s = 5
        """,
        SERVING_TOKEN="Bearer abc",
    )["cat"]
    assert profile.preprocess == CustomPreprocess(mean=(1, 2.5, 3), std=(4, 5, 6), order="BGR")
    assert profile.preparation(encoded=False) == Preparation(
        resize="short-side",
        short_side=256,
        library="tensorflow",
        interpolation="area",
        antialias=True,
        exif="ignore",
        alpha="drop",
        jpeg_dct="fast",
    )
    assert profile.input_size == (224, 200)
    assert profile.labels == models.parent / "labels.txt"
    assert profile.tls is not None
    assert profile.tls.key == models.parent / "key.pem"
    assert profile.metadata["authorization"].get_secret_value() == "Bearer abc"
    assert profile.deadline_s == 5.0


def test_models_come_in_the_order_of_the_file(models: Path) -> None:
    text = "".join(f'[models.{name}]\naddress = "h:1"\n' for name in ("b", "a", "c"))
    assert list(load(models, text)) == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("host:8500", "dns:///host:8500"),
        ("10.0.0.1:8500", "dns:///10.0.0.1:8500"),
        ("[::1]:8500", "dns:///[::1]:8500"),
        ("dns:///a.b:1", "dns:///a.b:1"),
        ("unix:/run/serving.sock", "unix:/run/serving.sock"),
    ],
)
def test_a_bare_host_and_port_is_resolved_by_dns(models: Path, written: str, meant: str) -> None:
    assert load(models, f'[models.cat]\naddress = "{written}"')["cat"].address == meant


@pytest.mark.parametrize("address", ["http://host:8501", "host", "", "host:port"])
def test_what_is_no_grpc_address_is_told_how_to_be_one(models: Path, address: str) -> None:
    (problem,) = problems(models, f'[models.cat]\naddress = "{address}"')
    assert "address:" in problem
    assert '"dns:///host:port"' in problem


def test_one_number_is_a_square(models: Path) -> None:
    text = '[models.cat]\naddress = "h:1"\ninput_size = 224'
    assert load(models, text)["cat"].input_size == (224, 224)


def test_secrets_are_masked_wherever_a_profile_is_shown(models: Path) -> None:
    text = '[models.cat]\naddress = "h:1"\nmetadata = { authorization = "env:T", plain = "hush" }'
    profile = load(models, text, T="Bearer canary")["cat"]
    for shown in (repr(profile), str(profile), profile.model_dump_json(), f"{profile.metadata}"):
        assert "canary" not in shown
        assert "hush" not in shown


TOKEN_BY_FILE = '[models.cat]\naddress = "h:1"\nmetadata = { authorization = "file:token" }'


def test_metadata_may_be_the_content_of_a_file_which_may_change(models: Path) -> None:
    (models.parent / "token").write_text("Bearer abc\n")
    profile = load(models, TOKEN_BY_FILE)["cat"]
    assert profile.metadata["authorization"] == models.parent / "token"
    assert profile.has_secret_files
    assert "abc" not in repr(profile)


@pytest.mark.parametrize("content", ["", " \n", "Bearer caf\u00e9", "two\nlines"])
def test_a_metadata_file_that_holds_no_value_is_told_when_it_is_read(
    models: Path, content: str
) -> None:
    (models.parent / "token").write_text(content, encoding="utf-8")
    (problem,) = problems(models, TOKEN_BY_FILE)
    assert "authorization" in problem
    assert str(models.parent / "token") in problem
    assert "caf" not in problem


@pytest.mark.parametrize(
    ("written", "address", "authorization"),
    [
        ("http://proxy:3128", "proxy:3128", None),
        ("http://[fd00::1]:3128/", "[fd00::1]:3128", None),
        ("http://ann:p%40ss@10.0.0.1:80", "10.0.0.1:80", "Basic YW5uOnBAc3M="),
        ("env:PROXY", "proxy:1", "Basic YTpi"),
    ],
)
def test_a_proxy_is_named_by_its_url(
    models: Path, written: str, address: str, authorization: str | None
) -> None:
    text = f'[models.cat]\naddress = "h:1"\nproxy = "{written}"'
    proxy = load(models, text, PROXY="http://a:b@proxy:1")["cat"].proxy
    assert proxy is not None
    assert (proxy.address, proxy.authorization) == (address, authorization)


@pytest.mark.parametrize(
    "written", ["proxy:3128", "https://proxy:3128", "http://proxy", "http://a@p:1", "socks5://p:1"]
)
def test_what_is_no_proxy_is_told_how_to_be_one(models: Path, written: str) -> None:
    (problem,) = problems(models, f'[models.cat]\naddress = "h:1"\nproxy = "{written}"')
    assert "proxy:" in problem
    assert '"http://host:port"' in problem


def test_the_password_of_a_proxy_is_never_shown(models: Path) -> None:
    text = '[models.cat]\naddress = "h:1"\nproxy = "http://ann:canary@proxy:1"'
    profile = load(models, text)["cat"]
    for shown in (repr(profile), f"{profile.proxy}", profile.model_dump_json()):
        assert "canary" not in shown
    (problem,) = problems(models, text.replace("proxy:1", "proxy:x"))
    assert "canary" not in problem


@pytest.mark.parametrize("address", ["unix:/run/serving.sock", "ipv4:10.0.0.1:1,10.0.0.2:1"])
def test_a_proxy_needs_one_host_to_connect_to(models: Path, address: str) -> None:
    text = f'[models.cat]\naddress = "{address}"\nproxy = "http://proxy:1"'
    assert "a proxy needs an address with one host and port" in problems(models, text)[0]


def test_an_unknown_key_is_named_with_those_that_exist(models: Path) -> None:
    problem = one_problem(models, "max_batchsize = 3")
    assert "unknown key 'max_batchsize'" in problem
    assert "did you mean 'max_batch_size'?" in problem
    for key in ("address", "labels", "tls", "deadline_s"):
        assert key in problem


def test_an_unknown_key_of_a_part_is_named_with_those_of_the_part(models: Path) -> None:
    problem = one_problem(models, 'tls = { cA = "x" }')
    assert problem == "unknown key 'tls.cA': The keys are ca, cert, key, server_name."
    problem = one_problem(models, "preprocess = { mean = [1], std = [1], ordr = 'RGB' }")
    assert "unknown key 'preprocess.ordr': did you mean 'order'?" in problem


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('resize = "strech"', "resize: must be 'stretch', 'crop', 'pad' or 'short-side'"),
        ('resize = "short-side"', 'resize = "short-side" and short_side go together'),
        ("short_side = 256", "short_side = 256"),
        ('resize = "short-side"\nshort_side = 0', "short_side: must be greater"),
        ("antialias = false", "resize_library = 'tensorflow', 'torch' or 'opencv'"),
        ('resize_library = "pillow"\nantialias = false', "Pillow always antialiases"),
        ('resize_library = "opencv"\nantialias = true', "remove antialias"),
        ('interpolation = "nearest-exact"', "or resize_library to 'torch'"),
        ('resize_library = "torch"\ninterpolation = "area"', "torch has no 'area'"),
        ('resize_library = "pil"', "resize_library: must be 'pillow', 'tensorflow', 'torch'"),
        ('exif = "rotate"', "exif: must be 'apply' or 'ignore'"),
        ('alpha = "grey"', "alpha: must be 'white', 'black' or 'drop'"),
        ('jpeg_dct = "slow"', "jpeg_dct: must be 'accurate' or 'fast'"),
        ('preprocess = "torhc"', "preprocess: must be 'raw', 'unit', 'tf', 'caffe' or 'torch'"),
        ("preprocess = { mean = [1, 2], std = [1, 2] }", "one value for each channel"),
        ("preprocess = { mean = [1], std = [0] }", "every std must be above 0"),
        ("preprocess = { mean = [1] }", "preprocess.std: is missing"),
        ("input_size = true", "one number of pixels, or [height, width]"),
        ("input_size = [224]", "input_size"),
        ("channels = 4", "channels: must be 1 or 3"),
        ("version = 0", "version: must be greater than or equal to 1"),
        ('version = "1"', "version: must be a valid integer"),
        ('version = 1\nversion_label = "x"', "give version or version_label, not both"),
        ("max_batch_size = 0", "max_batch_size: must be greater"),
        ("max_in_flight = 0", "max_in_flight: must be greater"),
        ("deadline_s = 0", "deadline_s: must be greater than 0"),
        ("deadline_s = nan", "deadline_s"),
        ('labels = "gone.txt"', "labels: there is no file"),
        ('tls = { ca = "gone.pem" }', "tls.ca: there is no file"),
        ('name = "x"', "the table's own name is the model's name"),
        ('metadata = { Authorization = "x" }', "cannot be a gRPC metadata key"),
        ('metadata = { x-bin = "x" }', "cannot be a gRPC metadata key"),
        ('metadata = { grpc-timeout = "x" }', "cannot be a gRPC metadata key"),
        ('metadata = { a = "ü" }', "must be printable ASCII"),
        ('metadata = { a = "env:GONE" }', "the environment variable GONE is not set"),
        ('metadata = { a = "file:gone" }', "there is nothing to read in"),
    ],
)
def test_what_cannot_work_is_told_with_its_cure(models: Path, lines: str, words: str) -> None:
    assert words in one_problem(models, lines)


@pytest.mark.parametrize(
    "lines",
    [
        'interpolation = "lanczos"',
        'interpolation = "nearest"\nantialias = false',
        'resize_library = "opencv"\nantialias = false',
        'resize_library = "tensorflow"\ninterpolation = "mitchellcubic"\nantialias = true',
    ],
)
def test_what_a_library_can_is_accepted(models: Path, lines: str) -> None:
    assert load(models, f'[models.cat]\naddress = "h:1"\n{lines}')


@pytest.mark.parametrize(
    ("library", "antialias"),
    [("pillow", True), ("tensorflow", False), ("torch", True), ("opencv", False)],
)
def test_antialias_is_as_each_library_has_it(models: Path, library: str, antialias: bool) -> None:
    text = f'[models.cat]\naddress = "h:1"\nresize_library = "{library}"'
    assert load(models, text)["cat"].preparation(encoded=False).antialias is antialias


def test_a_certificate_needs_its_key(models: Path) -> None:
    (models.parent / "cert.pem").write_text("")
    assert "give both or neither" in one_problem(models, 'tls = { cert = "cert.pem" }')


def test_a_value_is_never_told_for_it_may_be_a_secret(models: Path) -> None:
    text = '[models.cat]\naddress = "canary"\nmetadata = { a = "env:T" }\nversion = "canary"'
    assert "canary" not in " ".join(problems(models, text, T="canary ü"))


def test_every_problem_of_every_model_is_told_at_once(models: Path) -> None:
    found = problems(
        models,
        """
        [models.one]
        adress = "h:1"
        metadata = { a = "env:GONE" }
        [models.two]
        address = "h:1"
        resize = "squash"
        labels = "gone.txt"
        """,
    )
    assert len(found) == 4
    assert "needs an address" in " ".join(found)


def test_a_profile_that_is_no_table_is_told(models: Path) -> None:
    (problem,) = problems(models, "[models]\ncat = 3")
    assert "must be a table" in problem


@pytest.mark.parametrize("name", ["a b", "../x", "ü", "-x"])
def test_a_name_that_no_url_can_hold_is_refused(models: Path, name: str) -> None:
    (problem,) = problems(models, f'[models."{name}"]\naddress = "h:1"')
    assert "name:" in problem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no model"),
        ("[models]", "names no model"),
        ("[[models]]", "names no model"),
        ('[model.cat]\naddress = "h:1"', "unknown key 'model' at the top level"),
        ("[models.cat", "is not valid TOML"),
    ],
)
def test_a_file_without_models_is_told_what_to_write(models: Path, text: str, words: str) -> None:
    assert words in " ".join(problems(models, text))


def test_a_file_that_is_not_there_is_told_with_the_setting(models: Path) -> None:
    with pytest.raises(ProfileError, match="set LIMELIGHT_MODELS_FILE"):
        load_profiles(models)


def test_the_environment_of_the_process_is_the_default(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIMELIGHT_TEST_TOKEN", "abc")
    models.write_text('[models.c]\naddress = "h:1"\nmetadata = {a = "env:LIMELIGHT_TEST_TOKEN"}')
    assert load_profiles(models)["c"].metadata["a"].get_secret_value() == "abc"
