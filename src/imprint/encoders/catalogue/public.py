"""Strong public encoders, fetched from the model hub by name: one revision, every file by hash.

Hashes are those that public repositories pin for the same revision. A file with any other hash is
refused, so a pin can be outdated but never lets another model in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imprint.encoders.bert import BertEncoder, bert_identity, bert_writer
from imprint.encoders.onnx_file import MODEL, OnnxFileEncoder, onnx_identity
from imprint.encoders.weights.bert_folder import TOKENIZER, WEIGHTS, BertShape
from imprint.encoders.weights.files import copy_verified, version_of
from imprint.encoders.weights.sources import Pinned, fetch
from imprint.errors import ModelHashError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from imprint.encoders.protocol import Encoder
    from imprint.encoders.weights.bert_folder import Pooling
    from imprint.encoders.weights.cache import ModelCache
    from imprint.encoders.weights.files import Progress
    from imprint.encoders.weights.sources import Source
    from imprint.types import Modality


@dataclass(frozen=True, slots=True)
class TextNetwork:
    """A BERT-style network; `prefix` stands before every text and is part of the version."""

    shape: BertShape
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class ImageNetwork:
    """An ONNX image network: names of its input and output, width, and how it wants its pixels."""

    input: str
    output: str
    dim: int
    preprocessing: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Public:
    """One public encoder: its pinned files, what runs them, its licence."""

    pinned: Pinned
    network: TextNetwork | ImageNetwork
    license: str
    about: str

    @property
    def name(self) -> str:
        """Catalogue name."""
        return self.pinned.name

    @property
    def modality(self) -> Modality:
        """What it reads."""
        return "text" if isinstance(self.network, TextNetwork) else "image"

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides its vectors; known without its files, because their hashes are."""
        files, network = self.pinned.files, self.network
        if isinstance(network, TextNetwork):
            plain = bert_identity(network.shape, files[WEIGHTS], files[TOKENIZER], "fp32")
            return plain | ({"prefix": network.prefix} if network.prefix else {})
        stated = {
            "modality": "image",
            "sha256": files[MODEL],
            "input": network.input,
            "output": network.output,
            "dim": network.dim,
            "preprocessing": dict(network.preprocessing),
            "license": self.license,
        }
        return onnx_identity(stated, None)

    @property
    def version(self) -> str:
        """Name and hash of the identity."""
        return version_of(self.name, self.identity)


def open_public(
    one: Public, cache: ModelCache, sources: tuple[Source, ...], progress: Progress
) -> Encoder:
    """Open a public encoder, fetching and building what is missing or damaged.

    Raises:
        EncoderNotFoundError: no source has its files.
        ModelHashError: the sources that answered have other files than those pinned.
    """
    if cache.has(one.version):
        try:
            return _opened(one, cache)
        except ModelHashError:
            progress(f"replacing damaged files of {one.version}", 0, 1)
    files = fetch(one.pinned, cache, sources, progress)
    card = {"modality": one.modality, "license": one.license, "about": one.about}
    progress(f"building {one.name}", 0, 1)
    cache.made(one.name, {"identity": one.identity, **card}, _writer(one, files))
    progress(f"building {one.name}", 1, 1)
    return _opened(one, cache)


def _opened(one: Public, cache: ModelCache) -> Encoder:
    folder, card = cache.folder(one.version), cache.verified(one.version)
    if isinstance(one.network, TextNetwork):
        return BertEncoder(folder, card)
    return OnnxFileEncoder(folder, card)


def _writer(one: Public, files: dict[str, Path]) -> Callable[[Path], None]:
    if isinstance(one.network, TextNetwork):
        return bert_writer(one.network.shape, files[WEIGHTS], files[TOKENIZER], "fp32")

    def write(folder: Path) -> None:
        with files[MODEL].open("rb") as stream:
            copy_verified(stream, folder / MODEL, one.pinned.files[MODEL])

    return write


def _small_bert(pooling: Pooling) -> BertShape:
    return BertShape(
        hidden=384,
        n_heads=12,
        n_layers=12,
        epsilon=1e-12,
        activation="gelu",
        first_position=0,
        max_tokens=512,
        pooling=pooling,
    )


_BGE = Public(
    Pinned(
        name="bge-small-en",
        files={
            WEIGHTS: "3c9f31665447c8911517620762200d2245a2518d6e7208acc78cd9db317e21ad",
            TOKENIZER: "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
        },
        size_bytes=134_000_000,
        hub_repository="BAAI/bge-small-en-v1.5",
        revision="5c38ec7c405ec4b44b94cc5a9bb96e735b38267a",
    ),
    TextNetwork(_small_bert("cls")),
    "MIT",
    "English texts of up to 512 tokens, 384 wide; bge-small-en-v1.5, about 134 MB to fetch",
)
_E5 = Public(
    Pinned(
        name="multilingual-e5-small",
        files={
            WEIGHTS: "1a55775f53449dac10a2bcbc312469fac40b96d53198c407081a831f81c98477",
            TOKENIZER: "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39",
        },
        size_bytes=488_000_000,
        hub_repository="intfloat/multilingual-e5-small",
        revision="614241f622f53c4eeff9890bdc4f31cfecc418b3",
    ),
    TextNetwork(_small_bert("mean"), prefix="query: "),
    "MIT",
    "texts of about 100 languages, up to 512 tokens, 384 wide, about 490 MB to fetch",
)
_DINO = Public(
    Pinned(
        name="dinov2-small",
        files={MODEL: "f22797eabf810a75e41de68d378541ebea372122b25c4ce3ef25ff618250c20a"},
        size_bytes=88_532_934,
        hub_repository="onnx-community/dinov2-small",
        revision="8b1f705a3a7f6f062f6bdd21986c1583d3ef105d",
        hub_paths={MODEL: "onnx/model.onnx"},
    ),
    ImageNetwork(
        "pixel_values",
        "last_hidden_state",
        384,
        {"side_px": 224, "views": ("inner",), "pooling": "first"},
    ),
    "Apache-2.0",
    "photos, 384 wide; DINOv2 ViT-S/14, fp32, 89 MB to fetch",
)
_CLIP = Public(
    Pinned(
        name="clip-vit-b32",
        files={MODEL: "583fd1110a514667812fee7d684952aaf82a99b959760c8d7dca7e0ab9839299"},
        size_bytes=89_000_000,
        hub_repository="Xenova/clip-vit-base-patch32",
        revision="d15189d7028b43f1d3e65039190477f6af591c2a",
        hub_paths={MODEL: "onnx/vision_model_quantized.onnx"},
    ),
    ImageNetwork(
        "pixel_values",
        "image_embeds",
        512,
        {
            "side_px": 224,
            "mean": (0.48145466, 0.4578275, 0.40821073),
            "spread": (0.26862954, 0.26130258, 0.27577711),
        },
    ),
    "MIT for the code; the weights' card states none",
    "photos, 512 wide; image tower of CLIP ViT-B/32, 8-bit, about 90 MB to fetch",
)
_SIGLIP = Public(
    Pinned(
        name="siglip-base",
        files={MODEL: "ef14a954f3d57e1806666432bd9785004c1dc27100aa260eee0cb0f10a5de058"},
        size_bytes=95_000_000,
        hub_repository="Xenova/siglip-base-patch16-224",
        revision="4649052661e53c7000355844105f8a1792088239",
        hub_paths={MODEL: "onnx/vision_model_quantized.onnx"},
    ),
    ImageNetwork(
        "pixel_values",
        "pooler_output",
        768,
        {
            "side_px": 224,
            "views": ("stretch",),
            "mean": (0.5, 0.5, 0.5),
            "spread": (0.5, 0.5, 0.5),
        },
    ),
    "Apache-2.0",
    "photos, 768 wide; image tower of SigLIP base, 8-bit, about 95 MB to fetch",
)
PUBLIC = (_BGE, _E5, _DINO, _CLIP, _SIGLIP)
