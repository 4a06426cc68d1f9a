"""Where all settings come from: the environment, and for what nobody should see there, files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import DirectoryPath, Field, PrivateAttr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

PREFIX = "LIMELIGHT_"
_VALUE_ERROR = "Value error, "


class _Variables(EnvSettingsSource):
    """The environment. A variable that is empty or blank is not set."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return _unless_blank(super().get_field_value(field, field_name))


class _Files(SecretsSettingsSource):
    """The directory of secrets. A file that is empty or blank sets nothing."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return _unless_blank(super().get_field_value(field, field_name))


class EnvironmentSettings(BaseSettings):
    """Settings read from ``LIMELIGHT_*``, or from files of these names in one directory.

    A variable stands in the process list of whoever may inspect a container; a mounted file does
    not. So any setting may be a file, named like its variable in capitals or small letters, in
    the directory ``LIMELIGHT_SECRETS_DIR``. A variable goes before a file. What is empty or blank
    is not set: Compose makes an empty variable of one that it was not given (``${NAME:-}``).
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    secrets_dir: DirectoryPath | None = Field(
        None, description="Directory with settings as files, for passwords and keys."
    )

    @field_validator("secrets_dir")
    @classmethod
    def _can_be_read(cls, directory: Path | None) -> Path | None:
        if directory is not None and not _is_readable(directory):
            closed = ", ".join(sorted(path.name for path in _unreadable(directory)))
            raise ValueError(f"this user cannot read {closed or 'the directory'}")
        return directory

    # Names of the texts that came from files. An argument or a variable goes before a file.
    _from_files: frozenset[str] = PrivateAttr(frozenset())

    def model_post_init(self, _context: Any) -> None:
        """Note which settings came from files."""
        found = self._files()
        self._from_files = frozenset(
            name for name, text in found.items() if getattr(self, name) == text
        ) - frozenset(_Variables(type(self))())

    def from_file(self, name: str) -> str | None:
        """Read a setting that is a text and came from a file as it is there now, unchecked.

        Returns
        -------
        str or None
            None if it did not come from a file, or if there is none at this moment.
        """
        return self._files().get(name) if name in self._from_files else None

    def _files(self) -> dict[str, Any]:
        directory = self.secrets_dir
        if directory is None or not directory.is_dir() or not _is_readable(directory):
            return {}
        return _Files(type(self), secrets_dir=directory)()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, then the environment, then files."""
        sources = (init_settings, _Variables(settings_cls))
        directory = os.environ.get(f"{PREFIX}SECRETS_DIR", "").strip()
        # One that cannot be read is reported where all settings are checked, not from here.
        if directory and Path(directory).is_dir() and _is_readable(Path(directory)):
            return (*sources, _Files(settings_cls, secrets_dir=directory))
        return sources


def problems_of(error: ValidationError) -> list[str]:
    """Say what is wrong with settings, one sentence each, without values: one may be a password.

    What concerns several settings together names them itself.
    """
    found = []
    for one in error.errors(include_url=False, include_input=False):
        text = one["msg"].removeprefix(_VALUE_ERROR)
        name = "_".join(str(part) for part in one["loc"][:1]).upper()
        found.append(f"{PREFIX}{name}: {text}." if name else f"{text}.")
    return found


def _unless_blank(found: tuple[Any, str, bool]) -> tuple[Any, str, bool]:
    value, key, is_complex = found
    is_blank = isinstance(value, str) and not value.strip()
    return None if is_blank else value, key, is_complex


def _is_readable(directory: Path) -> bool:
    return os.access(directory, os.R_OK | os.X_OK) and not _unreadable(directory)


def _unreadable(directory: Path) -> list[Path]:
    """Return our files that this user may not read; the directory may hold those of others."""
    if not os.access(directory, os.R_OK | os.X_OK):
        return []
    named = (path for path in directory.iterdir() if path.name.upper().startswith(PREFIX))
    return [path for path in named if not os.access(path, os.R_OK)]
