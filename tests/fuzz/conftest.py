"""The service under fuzz is the one of the unit tests: the whole application over fakes."""

from tests.unit.web.conftest import make_service, service

__all__ = ["make_service", "service"]
