"""The OpenAPI document as a test's judge of requests and answers."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from http.client import responses
from typing import Any

import jsonschema_rs


class Contract:
    """Judges answers by a document.

    Answers are held to no more than the document names: a member that it does not know of is
    wrong here, while clients are free to expect more.
    """

    def __init__(self, document: Mapping[str, Any]):
        self.document = document
        self._components = copy.deepcopy(document["components"])
        for schema in self._components["schemas"].values():
            if schema.get("type") == "object":
                schema.setdefault("additionalProperties", False)

    def operations(self) -> dict[str, tuple[str, str, Mapping[str, Any]]]:
        """By id: method, path, operation."""
        return {
            operation["operationId"]: (method.upper(), path, operation)
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
        }

    def operation_at(self, method: str, path: str) -> Mapping[str, Any] | None:
        """The operation that a request comes to."""
        for template, methods in self.document["paths"].items():
            pattern = re.sub(r"\{\w+\}", "[^/]+", template.replace(".", r"\."))
            if re.fullmatch(pattern, path) and method.lower() in methods:
                return methods[method.lower()]
        return None

    def errors(self, schema: Mapping[str, Any], value: Any, *, closed: bool = True) -> list[str]:
        components = self._components if closed else self.document["components"]
        validator = jsonschema_rs.Draft202012Validator(
            {"components": components, "allOf": [schema]}, validate_formats=True
        )
        return [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(value)]

    def check(
        self,
        operation: Mapping[str, Any],
        *,
        status: int,
        content_type: str | None,
        body: bytes,
        headers: Mapping[str, str],
    ) -> None:
        """Fail unless the operation may be answered like this."""
        about = f"{operation['operationId']} -> {status} {responses[status]}"
        assert str(status) in operation["responses"], f"{about} is not in the document: {body!r}"
        answer = operation["responses"][str(status)]
        for name, header in answer.get("headers", {}).items():
            # Which of them are sent depends on more than the status.
            if name in headers and header["schema"].get("type") == "integer":
                assert int(headers[name]) >= header["schema"]["minimum"]
        if "content" not in answer:
            assert body == b"", about
            return
        media = (content_type or "").partition(";")[0]
        assert media in answer["content"], f"{about} came as {content_type}"
        if media.endswith("json"):
            found = self.errors(answer["content"][media]["schema"], json.loads(body))
            assert found == [], about
        else:
            assert body, about
