"""A configured model at its server: which version it serves, and predictors for that version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from worker.serving import discovery, trial
from worker.serving.calls import (
    Caller,
    CallRecord,
    Checkpoint,
    Deadline,
    Observe,
    RetryPolicy,
    go_on,
    ignore,
)
from worker.serving.channel import Connection
from worker.serving.errors import PredictorError, ProfileMismatch
from worker.serving.faults import Asked
from worker.serving.inputs import Encode, encoder
from worker.serving.labels import read_labels
from worker.serving.outputs import ScoreReader
from worker.serving.pace import Pace
from worker.serving.predictor import BatchLimit, Predictor
from worker.serving.profile import Activation, ModelProfile
from worker.serving.ranks import Ranks
from worker.serving.resolved import ResolvedModel
from worker.serving.stubs.model_service_pb2 import GetModelStatusRequest, ModelVersionStatus
from worker.serving.stubs.prediction_service_pb2 import GetModelMetadataRequest

__all__ = ["CallRecord", "ModelStatus", "ResolvedModel", "RetryPolicy", "ServedModel"]


@dataclass(frozen=True, kw_only=True)
class ModelStatus:
    """What the catalogue says of a model: available and resolved, or not, with the problem."""

    state: Literal["available", "unavailable"]
    resolved: ResolvedModel | None = None
    problem: str | None = None


class ServedModel:
    """One configured model. Safe to use from several threads; connects at the first call.

    Parameters
    ----------
    profile : ModelProfile
    retry : RetryPolicy
        How long what can pass is tried again, within each deadline.
    observe : callable
        Called with a ``CallRecord`` for each call that ended, in the thread that waited for it.
    pace : Pace or None
        How fast the model may be asked; None adapts to its server, within the profile's bounds.
    """

    def __init__(
        self,
        profile: ModelProfile,
        *,
        retry: RetryPolicy | None = None,
        observe: Observe = ignore,
        pace: Pace | None = None,
    ) -> None:
        self.profile = profile
        self._retry = RetryPolicy() if retry is None else retry
        self._observe = observe
        self._connection = Connection(profile)
        self._limit = BatchLimit()
        self._ranks: dict[int, Ranks] = {}
        self.pace = pace or Pace(
            most_images=profile.max_batch_size,
            most_in_flight=profile.max_in_flight,
            target_s=profile.call_target_ms / 1000,
            polite=profile.polite,
        )

    @property
    def most_images(self) -> int | None:
        """Most images that the server takes in a call, where it has refused more."""
        return self._limit.rows

    @property
    def max_in_flight(self) -> int:
        """Most calls under way, over all workers together."""
        return self.profile.max_in_flight

    def resolve(
        self, version: int | None, *, timeout_s: float, checkpoint: Checkpoint = go_on
    ) -> ResolvedModel:
        """Ask the server which version it serves, and what that takes and gives.

        Parameters
        ----------
        version : int or None
            The version that is wanted; None takes the profile's version or label, else the latest.
        timeout_s : float
            Most seconds that this may take, retries included.
        checkpoint : callable
            Called again and again during waits; what it raises ends them.

        Raises
        ------
        ProfileMismatch
            If the model does not fit its profile. A ``PredictorRejected``.
        ModelVersionGone
            If a certain version is wanted and not served.
        PredictorError
            If the server cannot tell.
        """
        wanted = self.profile.version if version is None else version
        request = GetModelMetadataRequest(metadata_field=[discovery.METADATA_FIELD])
        request.model_spec.name = self.profile.servable
        if wanted is not None:
            request.model_spec.version.value = wanted
        elif self.profile.version_label is not None:
            request.model_spec.version_label = self.profile.version_label
        caller = self._caller(wanted, seconds=timeout_s, checkpoint=checkpoint)
        response = caller.ask("GetModelMetadata", request)
        return discovery.resolve(
            self.profile,
            response,
            asked=wanted,
            labels=self._labels(),
            max_rows=self._limit.rows,
        )

    def predictor(
        self,
        resolved: ResolvedModel,
        *,
        deadline_s: float,
        checkpoint: Checkpoint = go_on,
        seats: Callable[[], int] | None = None,
        activation: Activation | None = None,
        pace: Pace | None = None,
        encode: Encode | None = None,
    ) -> Predictor:
        """Return a predictor whose calls, all together, end within ``deadline_s`` seconds.

        Waits end by what ``checkpoint`` raises, as in ``resolve``. ``seats`` tells again and again
        how many calls may be in flight at most; the profile's ``max_in_flight`` when left out.
        ``activation``, ``pace`` and ``encode`` are the profile's and the model's own when left out.
        """
        return Predictor(
            resolved,
            caller=self._caller(resolved.version, seconds=deadline_s, checkpoint=checkpoint),
            encode=encoder(self.profile, resolved) if encode is None else encode,
            reader=ScoreReader(
                resolved,
                activation=activation or self.profile.activation,
                ranks=self._ranks.setdefault(resolved.version, Ranks()),
            ),
            limit=self._limit,
            pace=self.pace if pace is None else pace,
            seats=(lambda: self.profile.max_in_flight) if seats is None else seats,
        )

    def status(self, *, timeout_s: float = 5.0) -> ModelStatus:
        """Ask the server whether the model can be used now; a problem is told, not raised."""
        try:
            resolved = self.resolve(None, timeout_s=timeout_s)
        except PredictorError as error:
            return ModelStatus(state="unavailable", problem=error.detail)
        return ModelStatus(state="available", resolved=resolved)

    def check(self, *, timeout_s: float = 30.0, in_full: bool = False) -> list[str]:
        """Return everything that keeps the model from being explained: ``trial.check``."""
        return trial.check(self, timeout_s=timeout_s, in_full=in_full)

    def doubts(self, *, timeout_s: float = 30.0) -> list[str]:
        """Return what makes one doubt its profile: ``trial.doubts``."""
        return trial.doubts(self, timeout_s=timeout_s)

    def limits(self, *, timeout_s: float = 30.0) -> list[str]:
        """Return what keeps its calls small: ``trial.limits``."""
        return trial.limits(self, timeout_s=timeout_s)

    def versions(self, *, timeout_s: float, in_full: bool = False) -> list[str]:
        """Return each version that the server has, with its state, by number.

        Parameters
        ----------
        timeout_s : float
        in_full : bool
            Whether to add why one could not be loaded, in the server's own words.

        Raises
        ------
        PredictorError
        """
        request = GetModelStatusRequest()
        request.model_spec.name = self.profile.servable
        answer = self._caller(None, seconds=timeout_s).ask("GetModelStatus", request)
        found = []
        for one in sorted(answer.model_version_status, key=lambda one: one.version):
            state = f"{one.version} {ModelVersionStatus.State.Name(one.state)}"
            said = " ".join(one.status.error_message.split())
            found.append(f"{state} ({said})" if in_full and said else state)
        return found

    def close(self) -> None:
        """Close the channel of this process."""
        self._connection.close()

    def _caller(
        self, version: int | None, *, seconds: float, checkpoint: Checkpoint = go_on
    ) -> Caller:
        return Caller(
            self._connection,
            asked=Asked(
                model=self.profile.name,
                version=version,
                by_proxy=self.profile.proxy is not None,
                by_file=self.profile.has_secret_files,
            ),
            deadline=Deadline(seconds),
            call_limit_s=self.profile.deadline_s,
            policy=self._retry,
            observe=self._learn,
            checkpoint=checkpoint,
        )

    def _learn(self, record: CallRecord) -> None:
        self._observe(record)
        if record.method == "Predict":
            self.pace.observe(rows=record.rows, seconds=record.seconds, status=record.status)

    def _labels(self) -> tuple[str, ...] | None:
        if self.profile.labels is None:
            return None
        try:
            return read_labels(self.profile.labels)
        except (OSError, UnicodeDecodeError) as error:
            problem = "Its labels file cannot be read: it must be a text file in UTF-8."
            raise ProfileMismatch(self.profile.name, (problem,), context=str(error)) from error
