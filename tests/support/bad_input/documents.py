"""JSON that cannot be read, and requests that ask for what they may not."""

from __future__ import annotations

import json

from tests.support.bad_input.case import HUGE, PNG, of_json, raw_json
from tests.support.requests import document_with

_MANY = ", ".join(f'"x{number}": 1' for number in range(100_000))
_SOME = ", ".join(f'"x{number}": 1' for number in range(19_000))

DOCUMENTS = [
    raw_json("empty JSON", b""),
    raw_json("bad JSON", b'{"image": '),
    raw_json("JSON in Latin-1", b'{"model": "caf\xe9"}'),
    raw_json("100,000-deep JSON", b"[" * 100_000 + b"]" * 100_000),
    raw_json("100-deep JSON", b'{"options": ' + b"[" * 100 + b"]" * 100 + b"}"),
    raw_json("100,000 empty objects", b"[" + b"{}," * 100_000 + b"{}]", says="20000 values"),
    raw_json("100,000 unknown fields", document_with(PNG, _MANY), says="20000 values"),
    raw_json("5,000-digit integer", document_with(PNG, f'"version": {HUGE}')),
    raw_json("a list for a document", b"[]", "", status=422),
    raw_json("null for a document", b"null", "", status=422),
    raw_json("no image in JSON", b"{}", "/image", status=422),
    raw_json(
        "image by URL",
        b'{"image": {"url": "https://example.org/cat.png"}}',
        "/image/url",
        status=422,
        says="the operator has not allowed any hosts",
    ),
    raw_json(
        "image by URL that is a number",
        b'{"image": {"url": 1}}',
        "/image/url",
        status=422,
    ),
    raw_json(
        "image by URL and by bytes",
        b'{"image": {"url": "https://example.org/cat.png", "base64": ""}}',
        "/image/url",
        status=422,
        says="base64",
    ),
    raw_json(
        "image by URL with more",
        b'{"image": {"url": "https://example.org/cat.png", "x": 1}}',
        "/image/x",
        status=422,
        says="unknown field; those that exist: url",
    ),
    raw_json("image without bytes", b'{"image": {}}', "/image/base64", status=422),
    raw_json("image that is a number", b'{"image": 1}', "/image", status=422),
    raw_json(
        "label map by URL",
        document_with(PNG, '"segments": {"url": "https://example.org/map.png"}'),
        "/segments/url",
        status=422,
    ),
    raw_json("image that is no base64", b'{"image": {"base64": "?"}}', "/image/base64", status=422),
    raw_json(
        "image as a data URL",
        b'{"image": {"base64": "data:image/png;base64,AAAA"}}',
        "/image/base64",
        status=422,
    ),
    raw_json(
        "base64 with letters beyond ASCII",
        '{"image": {"base64": "ÄÄÄÄ"}}'.encode(),
        "/image/base64",
        status=422,
    ),
    of_json("NaN", '"options": {"kernel_width": NaN}', "/options/kernel_width"),
    of_json("Infinity", '"options": {"kernel_width": Infinity}', "/options/kernel_width"),
    of_json("-Infinity", '"options": {"kernel_width": -Infinity}', "/options/kernel_width"),
    of_json(
        "a number beyond doubles", '"options": {"kernel_width": 1e999}', "/options/kernel_width"
    ),
    of_json("duplicate keys", '"model": "a", "model": "b"', "/model"),
    of_json("duplicate keys behind many", f'{_SOME}, "x18999": 1', "/x18999"),
    of_json("duplicate keys within", '"metadata": {"a": "1", "a": "2"}', "/a"),
    of_json("lone surrogate", r'"metadata": {"a": "\ud800"}', "/metadata/a"),
    of_json("lone surrogate in a key", r'"\ud800": 1', says="surrogate"),
    of_json("NUL", r'"metadata": {"a": "x\u0000"}', "/metadata/a"),
    of_json("unknown field", '"modle": "x"', "/modle", says="model, version, classes"),
    of_json("unknown option", '"options": {"sampels": 5}', "/options/sampels", says="samples"),
    of_json(
        "unknown option of a method",
        '"options": {"segmentation": {"method": "grid", "n_segments": 5}}',
        "/options/segmentation/n_segments",
        says="rows, columns",
    ),
    of_json("text for an integer", '"options": {"samples": "10"}', "/options/samples"),
    of_json("true for an integer", '"options": {"samples": true}', "/options/samples"),
    of_json("true for a version", '"version": true', "/version"),
    of_json("0 samples", '"options": {"samples": 0}', "/options/samples"),
    of_json("-1 samples", '"options": {"samples": -1}', "/options/samples"),
    of_json("a billion samples", '"options": {"samples": 1000000000}', "/options/samples"),
    of_json("options that are a list", '"options": []', "/options"),
    of_json("unknown preset", '"preset": "best"', "/preset", says="slic-heatmap"),
    of_json(
        "unknown sampler", '"options": {"sampler": "x"}', "/options/sampler", says="antithetic"
    ),
    of_json("sampler that is a list", '"options": {"sampler": []}', "/options/sampler"),
    of_json("sampler that is an object", '"options": {"sampler": {}}', "/options/sampler"),
    of_json(
        "method that is a list", '"options": {"baseline": {"method": []}}', "/options/baseline"
    ),
    of_json("options that deny", '"options": false', "/options"),
    of_json("style that is a list", '"overlays": [{"style": []}]', "/overlays/0/style"),
    of_json("preset that is a list", '"preset": []', "/preset"),
    of_json("model that is a number", '"model": 3', "/model"),
    of_json(
        "unknown segmenter",
        '"options": {"segmentation": "x"}',
        "/options/segmentation",
        says="felzenszwalb",
    ),
    of_json("segmenter that is a list", '"options": {"segmentation": []}', "/options/segmentation"),
    of_json(
        "unknown baseline",
        '"options": {"baseline": {"method": "x"}}',
        "/options/baseline",
        says="blur",
    ),
    of_json(
        "baseline without its colour",
        '"options": {"baseline": "colour"}',
        "/options/baseline/colour",
    ),
    of_json("unknown style", '"overlays": ["x"]', "/overlays/0", says="heatmap"),
    of_json(
        "unknown style in an object",
        '"overlays": [{"style": "x"}]',
        "/overlays/0/style",
        says="sheet",
    ),
    of_json("overlay without a style", '"overlays": [{}]', "/overlays/0/style"),
    of_json("overlay that is a number", '"overlays": [3]', "/overlays/0", says="heatmap"),
    of_json(
        "overlay field unknown",
        '"overlays": [{"style": "sheet", "x": 1}]',
        "/overlays/0/x",
        says="top_k",
    ),
    of_json("overlay twice", '"overlays": ["sheet", {"style": "sheet"}]', "/overlays/1"),
    of_json("unknown queue", '"queue": "x"', "/queue", says="bulk"),
    of_json("retention too short", '"retention_s": 1', "/retention_s"),
    of_json("retention too long", '"retention_s": 999999999999', "/retention_s"),
    of_json("metadata that is no text", '"metadata": {"a": 1}', "/metadata/a"),
    of_json("metadata too long", f'"metadata": {{"a": "{"x" * 501}"}}', "/metadata/a"),
    of_json(
        "too much metadata",
        f'"metadata": {json.dumps({f"k{n}": "" for n in range(21)})}',
        "/metadata",
    ),
    of_json(
        "unknown model", '"model": "x"', "/model", slug="unknown-model", says="Those that exist"
    ),
    of_json("model that is a path", '"model": "../../x"', "/model", slug="unknown-model"),
    of_json("class index too high", '"classes": [1000000]', "/classes/0", slug="unknown-class"),
    of_json("class index below 0", '"classes": [-1]', "/classes/0"),
    of_json("class that is a fraction", '"classes": [1.5]', "/classes/0"),
    of_json("class that is true", '"classes": [0, true]', "/classes/1"),
    of_json(
        "unknown class name", '"classes": ["no such thing"]', "/classes/0", slug="unknown-class"
    ),
    of_json("no classes", '"classes": []', "/classes"),
    of_json("classes that are text", '"classes": "cat"', "/classes"),
    of_json("too many top classes", '"classes": {"top": 1000}', "/classes/top"),
    of_json("unknown field of classes", '"classes": {"best": 1}', "/classes/best", says="top"),
    of_json("label map missing", '"options": {"segmentation": "custom"}', "/segments"),
]
