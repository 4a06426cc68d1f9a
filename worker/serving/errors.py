"""What can go wrong between us and a model server, in our own terms.

Every error has a public ``detail``, which a client may read: it names the model and says what to
do, and never holds an address, a path or the server's own words. Those go to ``context``, which is
for the log.
"""

from __future__ import annotations

from typing import ClassVar


class ProfileError(Exception):
    """The models file cannot be used.

    Attributes
    ----------
    problems : tuple of str
        Every problem that was found, each with its cure. For the operator: may name files.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class PredictorError(Exception):
    """A model server did not do what was asked of it.

    Parameters
    ----------
    detail : str
        What happened and what to do about it, for the client.
    grpc_status : str or None
        Name of the status code that the server gave, if it gave one.
    retryable : bool or None
        Whether the same job may succeed later. None takes the default of the class.
    context : str
        The rest, for the log only: the server's message, which may hold addresses.
    """

    default_retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        grpc_status: str | None = None,
        retryable: bool | None = None,
        context: str = "",
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.grpc_status = grpc_status
        self.retryable = self.default_retryable if retryable is None else retryable
        self.context = context


class PredictorUnavailable(PredictorError):
    """The model server cannot be reached, is overloaded, or does not have the model now."""

    default_retryable = True


class PredictorDeadline(PredictorError):
    """A call, or all calls of the job together, took longer than allowed."""

    default_retryable = True


class PredictorRejected(PredictorError):
    """The model server refuses the request, and would refuse it again."""


class ProfileMismatch(PredictorRejected):
    """The model that is served is not the one that the profile describes.

    Attributes
    ----------
    problems : tuple of str
        Every problem that was found, each with its cure.
    """

    def __init__(self, model: str, problems: tuple[str, ...], *, context: str = "") -> None:
        detail = f"Model {model!r} does not fit its profile: {' '.join(problems)}"
        super().__init__(detail, context=context)
        self.problems = problems


class ModelVersionGone(PredictorError):
    """The version of the model that the job is pinned to is not served (any more)."""


class BadModelOutput(PredictorError):
    """The model answered with something that cannot be scores of the images sent."""


class ScoresOfRanks(BadModelOutput):
    """The model answered with the scores of its best classes, in whose order there is no class."""
