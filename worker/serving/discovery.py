"""What a model takes and gives: read from its signature, held against its profile."""

from __future__ import annotations

from hashlib import sha256

from worker.serving.errors import BadModelOutput, PredictorRejected, ProfileMismatch
from worker.serving.preparation import unable
from worker.serving.profile import ModelProfile
from worker.serving.resolved import ResolvedModel
from worker.serving.signatures import (
    class_count_of,
    class_output,
    image_input,
    listed,
    pick_output,
)
from worker.serving.stubs.model_pb2 import SignatureDef, SignatureDefMap
from worker.serving.stubs.prediction_service_pb2 import GetModelMetadataResponse

METADATA_FIELD = "signature_def"
_SIGNATURES_TYPE = "tensorflow.serving.SignatureDefMap"
# Large enough for full batches, small enough that a call never holds much memory at either end.
MAX_CALL_BYTES = 32 << 20

# What a profile says of how a server is reached, or what has a place of its own in ResolvedModel.
_NOT_OF_SCORES = {
    "metadata", "tls", "proxy", "deadline_s", "max_batch_size", "max_in_flight", "call_target_ms",
    "polite", "labels", "version", "version_label",
}  # fmt: skip


def resolve(
    profile: ModelProfile,
    response: GetModelMetadataResponse,
    *,
    asked: int | None,
    labels: tuple[str, ...] | None,
    max_rows: int | None = None,
) -> ResolvedModel:
    """Put together what the server says and what the profile says.

    Parameters
    ----------
    profile : ModelProfile
    response : GetModelMetadataResponse
        Of the version that is to be pinned.
    asked : int or None
        The version that was asked for, if it was a certain one.
    labels : tuple of str or None
        Content of the profile's labels file.
    max_rows : int or None
        A batch limit that was learned from the server.

    Raises
    ------
    ProfileMismatch
        With every problem and its cure.
    BadModelOutput
        If another version answered.
    PredictorRejected
        If the server does not tell its version or its signatures.
    """
    version = response.model_spec.version.value
    if version < 1:
        raise PredictorRejected(
            f"The model server of {profile.name!r} does not tell which version it serves, so that "
            f"none can be pinned."
        )
    if asked is not None and asked != version:
        raise BadModelOutput(
            f"Model {profile.name!r} was asked for version {asked} and answered as {version}: all "
            f"servers behind its address must serve the same versions."
        )
    signature = _signature(profile, response)
    problems: list[str] = []
    image = image_input(profile, signature, problems)
    output = pick_output(profile.output, signature.outputs, problems)
    class_count = None
    if image is not None and output is not None:
        one_image = 1 in (image.rows, profile.max_batch_size)
        class_count = class_count_of(
            profile, output, signature.outputs, problems, one_image=one_image
        )
    if labels is not None and (not labels or class_count not in (None, len(labels))):
        problems.append(
            f"Its labels file has {len(labels)} names for {class_count or 'all'} classes: write "
            f"one line for each class, or set output to what the labels are of."
        )
    preparation = profile.preparation(encoded=image is not None and image.dtype == "string")
    unfit = unable(preparation.library, preparation.interpolation, preparation.antialias)
    if unfit is not None:
        problems.append(f"{unfit}.")
    if problems or image is None or output is None:
        # Height and width may have the same problem.
        raise ProfileMismatch(profile.name, tuple(dict.fromkeys(problems)))
    limits = (profile.max_batch_size, max_rows, image.rows, MAX_CALL_BYTES // image.image_bytes)
    return ResolvedModel(
        name=profile.name,
        servable=profile.servable,
        version=version,
        signature=profile.signature,
        input=image.name,
        output=output,
        input_size=image.size,
        channels=image.channels,
        dtype=image.dtype,
        layout=image.layout,
        class_count=len(labels) if labels else class_count,
        labels=labels,
        preparation=preparation,
        profile_sha256=_digest(profile),
        batch_size=max(1, min(limit for limit in limits if limit is not None)),
        class_output=class_output(output, signature.outputs),
    )


def _digest(profile: ModelProfile) -> str:
    scoring = profile.model_dump_json(exclude=_NOT_OF_SCORES)
    return sha256(scoring.encode()).hexdigest()


def _signature(profile: ModelProfile, response: GetModelMetadataResponse) -> SignatureDef:
    packed = response.metadata.get(METADATA_FIELD)
    if packed is None or packed.type_url.rpartition("/")[2] != _SIGNATURES_TYPE:
        raise PredictorRejected(
            f"The model server of {profile.name!r} does not tell its signatures; what is at its "
            f"address must be TensorFlow Serving."
        )
    # Unpack() would look for the name of our own message, which no server knows.
    signatures = SignatureDefMap.FromString(packed.value).signature_def
    if profile.signature not in signatures:
        names = listed(name for name in signatures if not name.startswith("__"))
        problem = f"It has no signature {profile.signature!r}: set signature to one of {names}."
        raise ProfileMismatch(profile.name, (problem,))
    found: SignatureDef = signatures[profile.signature]
    return found
