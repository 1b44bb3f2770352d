"""Audio encoders: a network with its own front end, and `audio-small`, which ships in the package.

Every recording is run alone, so its vector never depends on what else is in the call; a batch is
spread over a few threads instead (the runtime releases the GIL).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imprint.encoders.audio.windows import SoundRecipe, windows
from imprint.encoders.banks import read_bank
from imprint.encoders.session import Late, Spread, open_session
from imprint.encoders.weights.files import model_sha256, version_of
from imprint.errors import InvalidOptionError, ModalityMismatchError, ModelHashError, VectorError
from imprint.types import Sound
from imprint.vectors import mean_direction, unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imprint.types import Modality, Sample, UnitVector, UnitVectors, Waveform

KIND = "sound-onnx.v1"
SHIPPED = "audio-small"
SHIPPED_8_BIT = "audio-small-int8"
_MODELS = Path(__file__).parents[1] / "models"


class SoundEncoder:
    """A network of one ONNX file from waveform to vector, open for use from any number of threads.

    The card names it and states its preprocessing; the version is a hash over the model file and
    that preprocessing. The file is hashed when the encoder is made and loaded on first use.
    """

    modality: Modality = "audio"

    def __init__(
        self,
        model_path: Path,
        card: dict[str, Any],
        *,
        background: Callable[[], UnitVectors | None] | None = None,
        n_threads: int | None = None,
    ) -> None:
        stated = (card.get("name"), card.get("dim"), card.get("preprocessing"))
        if not all(isinstance(v, k) for v, k in zip(stated, (str, int, dict), strict=True)):
            raise InvalidOptionError("the card of an audio model needs name, dim and preprocessing")
        self.card = card
        self.name: str = card["name"]
        self.dim: int = card["dim"]
        self.recipe = SoundRecipe.from_json(card["preprocessing"])
        self.version = sound_version(model_path, card)
        self.model_path = model_path
        self._spread = Spread(n_threads)
        self._bank = Late(background or (lambda: None))
        self._session: Late[Any] = Late(
            lambda: open_session(self.model_path, self.version, optimize=True)
        )

    @classmethod
    def shipped(cls, name: str = SHIPPED) -> SoundEncoder:
        """One of the two that lie inside the package; they share a background bank.

        Raises:
            InvalidOptionError: its card is missing or damaged.
            ModelHashError: its network is.
        """
        try:
            card = json.loads((_MODELS / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise InvalidOptionError(
                f"the card of {name} is missing or damaged; install Imprint again"
            ) from None
        return cls(_MODELS / f"{name}.onnx", card, background=lambda: read_bank(SHIPPED))

    @property
    def background(self) -> UnitVectors | None:
        """Bank of vectors of sounds of no particular class, read on first use."""
        return self._bank.value()

    def encode(self, samples: Sequence[Sample]) -> UnitVectors:
        """Embed recordings: (len(samples), dim) float32, every row of length one.

        Raises:
            ModalityMismatchError: a sample is no recording.
            ModelHashError: the model file is not an ONNX network this card fits.
            VectorError: the network gave something that is not a finite direction.
        """
        sounds = [_sound_of(sample) for sample in samples]
        return self._spread.rows(self.name, len(sounds), self.dim, lambda i: self._row(sounds[i]))

    def _row(self, sound: Sound) -> UnitVector:
        rows = [self._forward(one) for one in windows(sound, self.recipe)]
        return mean_direction(unit(np.stack(rows)))

    def _forward(self, waveform: Waveform) -> UnitVector:
        session = self._session.value()
        try:
            output = session.run(None, {session.get_inputs()[0].name: waveform[None]})[0]
        except Exception as error:  # the runtime raises several kinds of its own, without a root
            raise ModelHashError(
                f"{self.name} refused a recording of {len(waveform)} frames; its card does not fit "
                "its network"
            ) from error
        if output.shape != (1, self.dim):
            raise VectorError(f"the network gives {output.shape}, the card says (1, {self.dim})")
        row: UnitVector = output[0].astype(np.float32)
        return row


def sound_version(model_path: Path, card: dict[str, Any]) -> str:
    """Name and hash over all that decides a vector: the network's bytes and the preprocessing.

    Raises:
        ModelHashError: the file is missing, or the card states another hash.
    """
    found = model_sha256(model_path, card)
    recipe = SoundRecipe.from_json(card["preprocessing"]).to_json()
    return version_of(card["name"], {"kind": KIND, "weights": found, "preprocessing": recipe})


def _sound_of(sample: Sample) -> Sound:
    if sample.modality != "audio" or not isinstance(sample.value, Sound):
        raise ModalityMismatchError(
            f"an audio encoder met a sample of modality {sample.modality}; send recordings"
        )
    return sample.value
