"""Settings: read once from a file, the environment and flags into one frozen value.

Later sources win: built-in default < `imprint.toml` < environment (`IMPRINT_*`) < flag. Unknown
names in the file and values that cannot be read are refused at start-up rather than ignored.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imprint.errors import InvalidOptionError

if TYPE_CHECKING:
    from collections.abc import Mapping


def _default_cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "imprint"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an operator may set. The environment name is IMPRINT_ + the name in capitals."""

    home: Path = field(
        default=Path("imprint-data"), metadata={"help": "Folder of the workspace the CLI works on."}
    )
    cache: Path = field(
        default_factory=_default_cache,
        metadata={"help": "Folder for downloaded and built encoders; shared by all workspaces."},
    )
    model_mirror: Path | None = field(
        default=None, metadata={"help": "Folder to look for model files in before any network."}
    )
    text_encoder: str = field(
        default="minilm-l6", metadata={"help": "Encoder of new text collections."}
    )
    image_encoder: str = field(
        default="image-small", metadata={"help": "Encoder of new image collections."}
    )
    audio_encoder: str = field(
        default="audio-small", metadata={"help": "Encoder of new audio collections."}
    )
    access: Path | None = field(
        default=None,
        metadata={"help": "File that says what identity-provider tokens and certificates open."},
    )
    runs: Path = field(
        default=Path("runs"), metadata={"help": "Folder of the records of training runs."}
    )
    master_key_file: Path | None = field(
        default=None,
        metadata={
            "help": "File (mode 600) of the master key; with one, what is kept is encrypted."
        },
    )
    master_key: str = field(
        default="",
        repr=False,
        metadata={"help": "The master key itself, for the environment only."},
    )
    kms_key: str = field(
        default="", metadata={"help": "ARN of a master key in a key service (AWS KMS protocol)."}
    )
    kms_region: str = field(
        default="", metadata={"help": "Region of the key service, when the ARN does not say it."}
    )
    kms_endpoint: str = field(
        default="", metadata={"help": "Address of the key service, when it is not AWS's own."}
    )
    old_master_key_file: Path | None = field(
        default=None,
        metadata={"help": "File of the master key before this one, while it is being replaced."},
    )
    quotas: str = field(
        default="",
        metadata={
            "help": "Limits of tenants without their own: supports=100k requests_per_minute=600."
        },
    )
    log_answers: bool = field(
        default=True,
        metadata={"help": "Keep the prediction log that feedback and replay need (no content)."},
    )

    def encoder_for(self, modality: str) -> str:
        """Name of the default encoder of a modality; empty when there is none."""
        return str(getattr(self, f"{modality}_encoder"))


def read_settings(
    environment: Mapping[str, str] | None = None, file: Path | None = None, **flags: object
) -> Settings:
    """Merge the sources into one value. A flag that is None counts as not given.

    `file` defaults to IMPRINT_CONFIG; without either no file is read.

    Raises:
        InvalidOptionError: an unknown name, or a value of the wrong kind.
    """
    environment = os.environ if environment is None else environment
    named = environment.get("IMPRINT_CONFIG")
    source = file or (Path(named) if named else None)
    chosen: dict[str, Any] = _from_file(source) if source else {}
    known = {f.name for f in fields(Settings)}
    for name in known:
        text = environment.get(f"IMPRINT_{name.upper()}")
        if text is not None:
            chosen[name] = text
    chosen |= {name: value for name, value in flags.items() if value is not None}
    unknown = sorted(set(chosen) - known)
    if unknown:
        raise InvalidOptionError(
            f"unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}"
        )
    converted: dict[str, Any] = {name: _convert(name, value) for name, value in chosen.items()}
    return replace(Settings(), **converted)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidOptionError(
            "the settings file named by IMPRINT_CONFIG does not exist"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InvalidOptionError(f"the settings file cannot be read: {error}") from error


def _convert(name: str, value: object) -> Any:
    if name in {"home", "cache", "model_mirror", "access", "runs"} or name.endswith("_file"):
        return Path(str(value)).expanduser()
    if name == "log_answers":
        word = str(value).lower()
        if word not in {"true", "false", "1", "0", "yes", "no"}:
            raise InvalidOptionError(f"{name} must be true or false, got {word[:40]!r}")
        return word in {"true", "1", "yes"}
    return str(value)
