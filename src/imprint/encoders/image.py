"""Image encoders: any ONNX network with a card, and those that ship in the package.

Every picture is run alone, so its vector never depends on what else is in the call; a batch is
spread over a few threads instead (the runtime releases the GIL).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imprint.encoders.banks import read_bank
from imprint.encoders.pixels import PixelRecipe, prepared
from imprint.encoders.session import Late, Spread, open_session
from imprint.encoders.weights.files import model_sha256, version_of
from imprint.errors import InvalidOptionError, ModalityMismatchError, ModelHashError, VectorError
from imprint.vectors import mean_direction, unit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from imprint.types import Modality, Pixels, Sample, UnitVectors

KIND = "image-onnx.v1"
SHIPPED = "image-small"
SHIPPED_8_BIT = "image-small-int8"
_MODELS = Path(__file__).parent / "models"


def read_card(path: Path) -> dict[str, Any]:
    """Read an image model's card: JSON with name, preprocessing and, to be checked, sha256.

    Raises:
        InvalidOptionError: not JSON, or name or preprocessing are missing.
    """
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InvalidOptionError("the card of the image model cannot be read as JSON") from None
    if not isinstance(card, dict):
        raise InvalidOptionError("the card of the image model must be a JSON object")
    return card


class ImageEncoder:
    """An image network of one ONNX file, open for use from any number of threads.

    The card names it and states its preprocessing; the version is a hash over the model file and
    that preprocessing. The file is hashed when the encoder is made and loaded on first use.
    """

    modality: Modality = "image"

    def __init__(
        self,
        model_path: Path,
        card: dict[str, Any],
        *,
        background: Callable[[], UnitVectors | None] | None = None,
        n_threads: int | None = None,
    ) -> None:
        if not isinstance(card.get("name"), str) or not isinstance(card.get("preprocessing"), dict):
            raise InvalidOptionError("the card of an image model needs a name and a preprocessing")
        self.card = card
        self.name: str = card["name"]
        self.recipe = PixelRecipe.from_json(card["preprocessing"])
        self._path = model_path
        self.version = image_version(model_path, card)
        self._spread = Spread(n_threads)
        self._bank = Late(background or (lambda: None))
        self._session: Late[Any] = Late(
            lambda: open_session(self._path, self.version, optimize=True)
        )
        self._dim: int | None = card.get("dim")

    @classmethod
    def shipped(cls, name: str = SHIPPED) -> ImageEncoder:
        """An encoder from inside the package; the 8-bit one shares the bank of its fp32 twin."""
        card = read_card(_MODELS / f"{name}.json")
        return cls(_MODELS / f"{name}.onnx", card, background=lambda: read_bank(SHIPPED))

    @property
    def dim(self) -> int:
        """Width of the vectors: from the card, else found by running a gray square."""
        if self._dim is None:
            side = self.recipe.side_px
            self._dim = len(self._forward(np.full((side, side, 3), 128, np.uint8)))
        return self._dim

    @property
    def background(self) -> UnitVectors | None:
        """Bank of vectors of pictures of no particular class, read on first use."""
        return self._bank.value()

    def encode(self, samples: Sequence[Sample]) -> UnitVectors:
        """Embed pictures: (len(samples), dim) float32, every row of length one.

        Raises:
            ModalityMismatchError: a sample is no picture.
            ModelHashError: the model file is not an ONNX network this card fits.
            VectorError: the network gave something that is not a finite direction.
        """
        pictures = [_pixels_of(sample) for sample in samples]
        return self._spread.rows(
            self.name, len(pictures), self.dim, lambda i: self._forward(pictures[i])
        )

    def _forward(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        session = self._session.value()
        rows = []
        for view in prepared(pixels, self.recipe):
            try:
                output = session.run(None, {session.get_inputs()[0].name: view})[0]
            except Exception as error:  # the runtime raises several kinds, without a root
                raise ModelHashError(
                    f"{self.name} refused a {self.recipe.side_px} px picture in layout "
                    f"{self.recipe.layout}; its card does not fit its network"
                ) from error
            rows.append(_one_row(np.asarray(output, dtype=np.float32), self.recipe))
        direction = mean_direction(unit(np.stack(rows)))
        if self._dim is not None and len(direction) != self._dim:
            raise VectorError(f"the network gives {len(direction)} numbers, the card {self._dim}")
        return direction


def image_version(model_path: Path, card: dict[str, Any]) -> str:
    """Name and hash over all that decides a vector: the network's bytes and the preprocessing.

    Raises:
        ModelHashError: the file is missing, or the card states another hash.
    """
    found = model_sha256(model_path, card)
    recipe = PixelRecipe.from_json(card["preprocessing"]).to_json()
    return version_of(card["name"], {"kind": KIND, "weights": found, "preprocessing": recipe})


def _pixels_of(sample: Sample) -> Pixels:
    if sample.modality != "image" or not isinstance(sample.value, np.ndarray):
        raise ModalityMismatchError(
            f"an image encoder met a sample of modality {sample.modality}; send pictures"
        )
    return sample.value


def _one_row(output: npt.NDArray[np.float32], recipe: PixelRecipe) -> npt.NDArray[np.float32]:
    """(1, dim), (1, dim, 1, 1) or, pooled, (1, tokens, dim) to (dim,)."""
    if recipe.pooling != "none" and output.ndim == 3:
        output = output[:, 0] if recipe.pooling == "first" else output.mean(axis=1)
    if output.shape[0] != 1 or output.size != output.shape[1]:
        raise VectorError(f"the network gives shape {output.shape}, not one row of numbers")
    return output.reshape(-1)
