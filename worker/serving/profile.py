"""Model profiles: which models there are, where they are served, and how they want their images.

``worker.serving.profiles`` reads them from ``models.toml``, one table a model. Whatever the model
server can tell (sizes, types, names of tensors) is not asked for here; a value that is given all
the same is held against what the server says.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    model_validator,
)

from worker.serving.addresses import Proxy, grpc_address, proxy_of, target_of
from worker.serving.preparation import PreparationKeys
from worker.serving.profile_part import ProfilePart

Layout = Literal["NHWC", "NCHW"]
Activation = Literal["none", "softmax", "sigmoid"]
NamedPreprocess = Literal["raw", "unit", "tf", "caffe", "torch"]

MAX_SIDE = 4096
_METADATA_KEY = re.compile(r"^[0-9a-z_.-]+$")
_METADATA_VALUE = re.compile(r"[\x20-\x7e]*")


def _square(value: Any) -> Any:
    """Let ``224`` stand for ``[224, 224]``; TOML has lists where we want tuples."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (value, value)
    if not isinstance(value, list | tuple):
        raise ValueError("write one number of pixels, or [height, width]")
    return tuple(value)


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def is_metadata_value(value: str) -> bool:
    """Whether gRPC metadata may hold a value: printable ASCII."""
    return _METADATA_VALUE.fullmatch(value) is not None


def _metadata(value: dict[str, SecretStr | Path]) -> dict[str, SecretStr | Path]:
    for key, secret in value.items():
        if not _METADATA_KEY.match(key) or key.startswith("grpc-") or key.endswith("-bin"):
            raise ValueError(
                f"{key!r} cannot be a gRPC metadata key: use lower-case letters, digits, '-', '_' "
                f"and '.', not starting with 'grpc-' or ending in '-bin'"
            )
        if isinstance(secret, SecretStr) and not is_metadata_value(secret.get_secret_value()):
            raise ValueError(f"the value of {key!r} must be printable ASCII")
    return value


Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
PerChannel = Annotated[tuple[Finite, ...], BeforeValidator(_as_tuple)]


class CustomPreprocess(ProfilePart):
    """``(pixel - mean) / std`` per channel, pixel, mean and std on the scale 0 to 255.

    Attributes
    ----------
    mean, std : tuple of float
        One value per channel of the model's input, in the order that the model wants them.
    order : str
        The order in which the model wants the channels.
    """

    mean: PerChannel
    std: PerChannel
    order: Literal["RGB", "BGR"] = "RGB"

    @model_validator(mode="after")
    def _fits_together(self) -> CustomPreprocess:
        if len(self.mean) != len(self.std) or len(self.mean) not in (1, 3):
            raise ValueError("mean and std need one value for each channel, 1 or 3")
        if any(std <= 0 for std in self.std):
            raise ValueError("every std must be above 0")
        return self


# Tags of the two forms of ``preprocess``: each error is then told of the form that was meant.
NAMED, CUSTOM = "named", "custom"
Preprocess = Annotated[
    Annotated[NamedPreprocess, Tag(NAMED)] | Annotated[CustomPreprocess, Tag(CUSTOM)],
    Discriminator(lambda value: NAMED if isinstance(value, str) else CUSTOM),
]


class Tls(ProfilePart):
    """Files in PEM form. With ``cert`` and ``key`` the client shows a certificate (mutual TLS).

    Attributes
    ----------
    ca : Path or None
        Certificates to trust; None trusts those that gRPC brings.
    cert, key : Path or None
        Ours, both or neither.
    server_name : str or None
        The name that the server's certificate bears, where it is not the host of the address.
    """

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    server_name: str | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _both_or_neither(self) -> Tls:
        if (self.cert is None) != (self.key is None):
            raise ValueError("mutual TLS needs both cert and key: give both or neither")
        return self


class ModelProfile(PreparationKeys):
    """One table of ``models.toml``, defaults filled in, paths absolute.

    Attributes
    ----------
    name : str
        The table's name: what clients call the model.
    input_size : tuple of int or None
        Height and width, in pixels.
    max_batch_size : int
        Most images in one Predict call.
    max_in_flight : int
        Most Predict calls under way, over all workers together.
    call_target_ms : float
        How long one Predict call may take; calls get fewer images where they take longer.
    polite : bool
        Whether the model server is left to its users for most of the time.
    metadata : dict
        gRPC metadata: values, or the files that hold them.
    proxy : Proxy or None
        What connects us to the model server; None connects at once, whatever the environment says.
    deadline_s : float
        Most seconds that one Predict call may take.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    address: Annotated[str, AfterValidator(grpc_address)]
    servable: str = Field(min_length=1)
    version: int | None = Field(None, ge=1)
    version_label: str | None = Field(None, min_length=1)
    signature: str = Field("serving_default", min_length=1)
    preprocess: Preprocess = "raw"
    encoding: Literal["png", "jpeg"] = "png"
    input: str | None = Field(None, min_length=1)
    input_size: Annotated[tuple[Side, Side] | None, BeforeValidator(_square)] = None
    channels: Literal[1, 3] | None = None
    layout: Layout | None = None
    output: str | None = Field(None, min_length=1)
    activation: Activation = "none"
    labels: Path | None = None
    max_batch_size: int = Field(32, ge=1, le=4096)
    max_in_flight: int = Field(2, ge=1, le=64)
    call_target_ms: float = Field(75.0, ge=1, le=60_000, allow_inf_nan=False)
    polite: bool = False
    metadata: Annotated[dict[str, SecretStr | Path], AfterValidator(_metadata)] = Field(
        default_factory=dict
    )
    proxy: Annotated[Proxy | None, BeforeValidator(proxy_of)] = None
    tls: Tls | None = None
    deadline_s: float = Field(30.0, gt=0, le=3600, allow_inf_nan=False)

    @property
    def has_secret_files(self) -> bool:
        """Whether files hold what is shown to the server: they may be rotated."""
        shows_certificate = self.tls is not None and self.tls.cert is not None
        return shows_certificate or any(isinstance(one, Path) for one in self.metadata.values())

    @model_validator(mode="after")
    def _one_version(self) -> ModelProfile:
        if self.version is not None and self.version_label is not None:
            raise ValueError("give version or version_label, not both")
        return self

    @model_validator(mode="after")
    def _proxy_leads_to_a_host(self) -> ModelProfile:
        if self.proxy is not None and target_of(self.address) is None:
            raise ValueError("a proxy needs an address with one host and port: dns:///host:port")
        return self
