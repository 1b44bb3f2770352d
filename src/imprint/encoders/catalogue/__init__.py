"""Encoders by name and by version: the only place that knows all of them.

    minilm-l6        text, the faster variant on this machine     fetched and built on first use
    minilm-l6-fp32   text, exact                                  "
    minilm-l6-int8   text, 8-bit                                  "
    image-small      images                                       ships in the package
    image-small-int8 images, convolutions in 8-bit                "
    audio-small      short words and sounds                       ships in the package
    audio-small-int8 the same, convolutions in 8-bit              "
    bge-small-en, multilingual-e5-small, dinov2-small, clip-vit-b32, siglip-base
                     strong public encoders                       fetched from the model hub
    toy-text, toy-image, toy-audio                                 for tests, nothing to fetch
    <name>           whatever `add` has put into the cache

A version ("<name>@<hash>") asks for exactly that encoder and never gets another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imprint.encoders.catalogue import minilm, public
from imprint.encoders.toy import ToyEncoder
from imprint.encoders.weights.cache import ModelCache, checked_name
from imprint.encoders.weights.files import silent
from imprint.encoders.weights.sources import usual_sources
from imprint.errors import (
    EncoderMismatchError,
    EncoderNotFoundError,
    InvalidOptionError,
    ModelHashError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from imprint.encoders.bert_graph import Variant
    from imprint.encoders.protocol import Encoder
    from imprint.encoders.weights.files import Progress
    from imprint.encoders.weights.sources import Source
    from imprint.types import Modality


@dataclass(frozen=True, slots=True)
class _Desk:
    """What an opener may need: the cache, where to look, and who hears of progress."""

    cache: ModelCache
    sources: tuple[Source, ...]
    progress: Progress


@dataclass(frozen=True, slots=True)
class _Entry:
    """A built-in encoder: what it is, its version where known unopened, how to open it.

    `fetched` says that its files come from outside the package.
    """

    modality: Modality
    about: str
    license: str
    version: Callable[[ModelCache | None], str | None]
    open: Callable[[_Desk], Encoder]
    fetched: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """One line of `imprint models list`. `ready` means it opens without any network."""

    name: str
    modality: Modality
    version: str | None
    ready: bool
    license: str
    about: str


def load_encoder(
    name: str,
    *,
    cache_dir: Path,
    mirror: Path | None = None,
    progress: Progress | None = None,
) -> Encoder:
    """Open an encoder by catalogue name, by the name it was added under, or by version.

    Raises:
        EncoderNotFoundError: nothing has that name, or no source has its files.
        ModelHashError: files are damaged and cannot be rebuilt.
        StorageFullError: the cache's disk is full.
    """
    if "@" in name:
        return load_version(name, cache_dir=cache_dir, mirror=mirror, progress=progress)
    desk = _desk(cache_dir, mirror, progress)
    if (entry := _BUILT_IN.get(name)) is not None:
        return entry.open(desk)
    version = desk.cache.named(checked_name(name))
    if version is None:
        raise EncoderNotFoundError(_unknown(name, desk.cache))
    return _open_added(version, desk)


def load_version(
    version: str,
    *,
    cache_dir: Path,
    mirror: Path | None = None,
    progress: Progress | None = None,
) -> Encoder:
    """Open exactly the encoder whose version is given.

    Raises:
        EncoderMismatchError: there is an encoder of that name, but of another version.
        EncoderNotFoundError: it is neither built in nor in the cache.
    """
    desk = _desk(cache_dir, mirror, progress)
    name = version.partition("@")[0]
    if (entry := _BUILT_IN.get(name)) is not None:
        found = entry.version(desk.cache)
        if found == version:
            return entry.open(desk)
        raise EncoderMismatchError(_other(version, found or name))
    if desk.cache.has(version):
        return _open_added(version, desk)
    if (found := desk.cache.named(checked_name(name))) is not None:
        raise EncoderMismatchError(_other(version, found))
    raise EncoderNotFoundError(
        f"encoder {version} is not here; add the files it was made from again with `imprint "
        "models add FILE`, or, if it was a callable, pass that callable"
    )


def list_encoders(cache_dir: Path | None = None) -> list[Listing]:
    """List the built-in encoders and, given the cache, those added there."""
    cache = ModelCache(cache_dir) if cache_dir is not None else None
    built_in = [_listing(name, entry, cache) for name, entry in _BUILT_IN.items()]
    return built_in + ([_added(cache, name) for name in cache.names()] if cache else [])


def pull(
    name: str,
    *,
    cache_dir: Path,
    mirror: Path | None = None,
    progress: Progress | None = None,
) -> Listing:
    """Fetch, build and open an encoder once, so that later it opens at once and offline.

    Raises:
        EncoderNotFoundError: nothing has that name, or no source has its files.
    """
    encoder = load_encoder(name, cache_dir=cache_dir, mirror=mirror, progress=progress)
    cache = ModelCache(cache_dir)
    shown = name if name in _BUILT_IN else encoder.name
    entry = _BUILT_IN.get(shown)
    listing = _listing(shown, entry, cache) if entry else _added(cache, shown)
    return replace(listing, version=encoder.version, ready=True)


def add(
    path: Path,
    *,
    cache_dir: Path,
    name: str | None = None,
    variant: Variant = "fp32",
    progress: Progress | None = None,
) -> Listing:
    """Copy a sentence-embedding folder or an .onnx file with a card into the cache, by hash.

    It is opened and tried once before it gets its name (by default the card's or the folder's).
    Adding another model under the same name moves the name; the older stays loadable by version.
    `variant` says in which arithmetic a sentence-embedding folder is built.

    Raises:
        InvalidNameError: the name is not one, or belongs to a built-in encoder.
        InvalidOptionError: the folder or the card cannot be used; the message says what differs.
        ModelHashError: the card states another hash than the file has.
    """
    from imprint.encoders.catalogue.adding import added_name

    desk = _desk(cache_dir, None, progress)
    taken = frozenset(_BUILT_IN)
    return _added(desk.cache, added_name(path, desk.cache, name, taken, variant, desk.progress))


def _desk(cache_dir: Path, mirror: Path | None, progress: Progress | None) -> _Desk:
    return _Desk(ModelCache(cache_dir), usual_sources(mirror), progress or silent)


def _unknown(name: str, cache: ModelCache) -> str:
    what = f"there is no encoder named {name}; there are {', '.join([*_BUILT_IN, *cache.names()])}"
    return (
        f"{what}. Bring your own: an .onnx file with a card through `imprint models add FILE`, or "
        "any Python callable from a list of values to an array, given as encoder="
    )


def _other(wanted: str, found: str) -> str:
    return (
        f"the embeddings were made by {wanted}; the encoder of that name here is {found}, and "
        "vectors of two versions cannot be compared. Bring the files of the first one back, or "
        "teach the collection again"
    )


def _listing(name: str, entry: _Entry, cache: ModelCache | None) -> Listing:
    version = entry.version(cache)
    built = version is not None and cache is not None and cache.has(version)
    ready = built if entry.fetched else version is not None
    return Listing(name, entry.modality, version, ready, entry.license, entry.about)


def _added(cache: ModelCache, name: str) -> Listing:
    version = cache.named(name) or ""
    card = cache.card(version)
    return Listing(name, card["modality"], version, True, card["license"], card["about"])


def _open_added(version: str, desk: _Desk) -> Encoder:
    from imprint.encoders.catalogue.adding import open_added

    return open_added(desk.cache.folder(version), desk.cache.verified(version))


def _minilm(variant: Variant, about: str) -> _Entry:
    return _Entry(
        "text",
        about,
        minilm.LICENSE,
        lambda _cache: minilm.version(variant),
        lambda desk: minilm.open_variant(variant, desk.cache, desk.sources, desk.progress),
        fetched=True,
    )


def _image_small(name: str, about: str) -> _Entry:
    def opened(_desk: _Desk | None = None) -> Encoder:
        from imprint.encoders.image import ImageEncoder

        return ImageEncoder.shipped(name)

    def version(_cache: ModelCache | None) -> str | None:
        try:
            return opened().version
        except (InvalidOptionError, ModelHashError):
            return None

    return _Entry("image", about, "Apache-2.0, see its card", version, opened)


def _audio_small(name: str, about: str) -> _Entry:
    def opened(_desk: _Desk | None = None) -> Encoder:
        from imprint.encoders.audio.encoder import SoundEncoder

        return SoundEncoder.shipped(name)

    def version(_cache: ModelCache | None) -> str | None:
        try:
            return opened().version
        except (InvalidOptionError, ModelHashError):
            return None

    return _Entry("audio", about, "Apache-2.0", version, opened)


def _public(one: public.Public) -> _Entry:
    return _Entry(
        one.modality,
        one.about,
        one.license,
        lambda _cache: one.version,
        lambda desk: public.open_public(one, desk.cache, desk.sources, desk.progress),
        fetched=True,
    )


def _toy(modality: Modality) -> _Entry:
    return _Entry(
        modality,
        "for tests: no weights, crude but instant",
        "Apache-2.0",
        lambda _cache: ToyEncoder(modality).version,
        lambda _desk: ToyEncoder(modality),
    )


_BUILT_IN: dict[str, _Entry] = {
    minilm.FAMILY: _Entry(
        "text",
        "English sentences, 384 wide: int8 where measured faster on this machine, else fp32",
        minilm.LICENSE,
        minilm.chosen_version,
        lambda desk: minilm.open_default(desk.cache, desk.sources, desk.progress),
        fetched=True,
    ),
    minilm.variant_name("fp32"): _minilm("fp32", "English sentences, 384 wide, fp32"),
    minilm.variant_name("int8"): _minilm("int8", "English sentences, 384 wide, 8-bit"),
    "image-small": _image_small(
        "image-small", "photos, surfaces and line drawings; ships in the package"
    ),
    "image-small-int8": _image_small(
        "image-small-int8", "the same, convolutions in 8-bit: faster, vectors of its own"
    ),
    "audio-small": _audio_small(
        "audio-small", "short words and everyday sounds; ships in the package"
    ),
    "audio-small-int8": _audio_small(
        "audio-small-int8", "the same, convolutions in 8-bit: faster, vectors of its own"
    ),
    **{one.name: _public(one) for one in public.PUBLIC},
    "toy-text": _toy("text"),
    "toy-image": _toy("image"),
    "toy-audio": _toy("audio"),
}
