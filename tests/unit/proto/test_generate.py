from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def generate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load ``proto/generate.py``, which is a script and no package; it writes elsewhere."""
    spec = importlib.util.spec_from_file_location("proto_generate", ROOT / "proto/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "STUBS", tmp_path / "stubs")
    return module


def test_the_committed_stubs_are_what_protoc_makes(
    generate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = generate.generate(tmp_path)
    monkeypatch.setattr(generate, "STUBS", ROOT / "worker/serving/stubs")
    assert generate.stale(fresh) == []


def test_a_changed_a_missing_and_a_left_over_stub_are_named(generate: ModuleType) -> None:
    generate.write({"a_pb2.py": "one", "b_pb2.pyi": "two", "c_pb2.py": "three"})
    fresh = {"a_pb2.py": "one", "b_pb2.pyi": "changed", "d_pb2.py": "new"}
    assert generate.stale(fresh) == ["b_pb2.pyi", "c_pb2.py", "d_pb2.py"]
    generate.write(fresh)
    assert generate.stale(fresh) == []
