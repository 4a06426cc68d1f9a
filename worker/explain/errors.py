"""What can be wrong with a request for an explanation. None of these knows a protocol.

Their texts are whole sentences for the person who asked, and say what to change.
"""

from __future__ import annotations


class ExplainError(Exception):
    """Base of all errors of this package."""


class ImageTooUniform(ExplainError):
    """The segmenter found one segment only, so there is nothing to compare."""


class BadSegments(ExplainError):
    """The label map is missing, of another size or kind, or has a single segment."""


class TooManySegments(ExplainError):
    """The image was cut into more segments than can be explained."""


class UnknownClass(ExplainError):
    """A class index that the model does not have."""


class NotProbabilities(ExplainError):
    """The log-odds of a score outside [0, 1] were asked for."""


class WrongScores(ExplainError):
    """The predictor did not return one row of scores for each image that it was given."""


class KernelTooNarrow(ExplainError):
    """The kernel gives every sample a weight of zero."""
