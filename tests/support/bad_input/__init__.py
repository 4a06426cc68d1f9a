"""The bad input of the specification as data: what is sent, and what it must get.

The unit tests send these through Flask's test client and the system tests over HTTP. A server
with one model, whose class names are known, is all that they suppose.
"""

from __future__ import annotations

from tests.support.bad_input.bodies import BODIES
from tests.support.bad_input.case import BadInput
from tests.support.bad_input.documents import DOCUMENTS
from tests.support.bad_input.images import IMAGES, ODD_IMAGES, SEGMENTS, OddImage
from tests.support.bad_input.paths import PATHS
from tests.support.bad_input.webhooks import WEBHOOKS

ALL = [*BODIES, *DOCUMENTS, *SEGMENTS, *IMAGES, *WEBHOOKS, *PATHS]

__all__ = ["ALL", "ODD_IMAGES", "BadInput", "OddImage"]
