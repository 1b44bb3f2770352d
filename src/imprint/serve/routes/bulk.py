"""Bulk teaching over HTTP: NDJSON lines or a zip of folders, with an outcome for every item.

Items are taught in batches, each durable before the next is read. A request that broke off can be
sent again whole: what was taught is recognized by its content.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from imprint.errors import (
    DecodeError,
    ImprintError,
    InvalidLabelError,
    MalformedRequestError,
    QuotaExceededError,
    RequestMediaError,
    RequestTooLargeError,
    SampleTooLargeError,
)
from imprint.serve.endpoint import Call, Endpoint, Example, json_response
from imprint.serve.problems import problem_of
from imprint.serve.schemas.parts import SAMPLE_FILE, ref
from imprint.serve.wire import (
    JSON,
    checked,
    checked_metadata,
    media_type_of,
    read_json,
    source_of,
)
from imprint.types import RawItem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.responses import Response

    from imprint.flows.collection import Collection
    from imprint.serve.limits import Limits
    from imprint.types import Receipt

NDJSON = "application/x-ndjson"
ZIP = "application/zip"
_NDJSON_NAMES = {NDJSON, "application/ndjson", "application/jsonl"}
_BATCH = 128
# A zip may unpack to this many times the size an import may have, all entries together.
_MOST_UNPACKED = 4
_DIRECTORY_BYTES = 16 * 1024 * 1024
_END_OF_DIRECTORY = b"PK\x05\x06"
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(RuntimeError, EOFError, OSError, IndexError, OverflowError),
)
# Folders of samples do not shrink like this; a bomb does. The first megabytes are free.
_MOST_RATIO = 200
_FREE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Item:
    """One line or file: what to teach, or why it cannot be."""

    label: str = ""
    source: str | RawItem = ""
    metadata: dict[str, Any] | None = None
    name: str | None = None
    error: ImprintError | None = None


def import_supports(call: Call) -> Response:
    """Teach every item; refused ones are reported and the rest goes in."""
    collection = call.collection()
    items = _items(call, collection.modality)
    results: list[dict[str, Any]] = []
    while batch := list(islice(items, _BATCH)):
        for item, outcome in zip(batch, _taught(collection, batch), strict=True):
            if not isinstance(outcome, ImprintError):
                call.metrics.taught(outcome.state)
            results.append(_result(len(results), item, outcome))
    n_refused = sum("error" in result for result in results)
    n_accepted = len(results) - n_refused
    return json_response({"n_accepted": n_accepted, "n_refused": n_refused, "results": results})


def _result(index: int, item: Item, outcome: Receipt | ImprintError) -> dict[str, Any]:
    result: dict[str, Any] = {"index": index}
    if item.name is not None:
        result["name"] = item.name
    if isinstance(outcome, ImprintError):
        return {**result, "error": problem_of(outcome)}
    return {**result, "receipt": outcome.to_json()}


def _items(call: Call, modality: str) -> Iterator[Item]:
    media_type = media_type_of(call.headers.get("content-type"))
    if call.spool is None:
        raise MalformedRequestError("the body is empty; send NDJSON or a zip file")
    if media_type in _NDJSON_NAMES:
        return _counted(_lines(call.spool, modality, call.limits), call.limits)
    if media_type == ZIP:
        return _counted(_files(call.spool, call.limits), call.limits)
    raise RequestMediaError(
        f"send Content-Type {NDJSON} (one JSON object a line) or {ZIP} (a folder for each class); "
        f"got {media_type[:60] or 'none'}"
    )


def _counted(items: Iterator[Item], limits: Limits) -> Iterator[Item]:
    for number, item in enumerate(items):
        if number >= limits.n_items:
            raise RequestTooLargeError(
                f"an import takes {limits.n_items:,} items; those before are taught, send the rest "
                "in another one"
            )
        yield item


def _taught(collection: Collection, batch: list[Item]) -> list[Receipt | ImprintError]:
    """Teach a batch in one commit; items with metadata are taught one by one."""
    plain = [item for item in batch if item.error is None and item.metadata is None]
    outcomes = iter(_taught_together(collection, plain))
    return [
        item.error
        if item.error is not None
        else next(outcomes)
        if item.metadata is None
        else _taught_alone(collection, item)
        for item in batch
    ]


def _taught_together(collection: Collection, plain: list[Item]) -> list[Receipt | ImprintError]:
    pairs = [(item.label, item.source) for item in plain]
    try:
        return list(collection.teach_many(pairs, batch=_BATCH, origin="import")) if pairs else []
    except QuotaExceededError:
        # Together they pass a limit; each for itself, those that still fit go in.
        return [_taught_alone(collection, item) for item in plain]


def _taught_alone(collection: Collection, item: Item) -> Receipt | ImprintError:
    try:
        return collection.teach(item.label, item.source, metadata=item.metadata, origin="import")
    except ImprintError as error:
        return error


def _lines(spool: IO[bytes], modality: str, limits: Limits) -> Iterator[Item]:
    while line := spool.readline(limits.body_bytes + 1):
        if len(line) > limits.body_bytes:
            raise RequestTooLargeError(f"a line has more than {limits.body_bytes:,} bytes")
        if line.strip():
            yield _line_item(line, modality)


def _line_item(line: bytes, modality: str) -> Item:
    try:
        fields = checked(read_json(line), "ImportLine")
        source = source_of(fields, modality)
        metadata = checked_metadata(fields.get("metadata"))
    except ImprintError as error:
        return Item(error=error)
    return Item(fields["label"], source, metadata)


def _files(spool: IO[bytes], limits: Limits) -> Iterator[Item]:
    _check_directory(spool)
    try:
        archive = zipfile.ZipFile(spool)
    except (*_UNREADABLE, ValueError):
        raise MalformedRequestError("the body is not a zip file that can be read") from None
    most = _most_unpacked(spool, limits)
    n_unpacked = 0
    with archive:
        for entry in archive.infolist():
            if entry.filename.endswith("/") or _is_clutter(entry.filename):
                continue
            item = _file_item(archive, entry, limits)
            # What is refused for its size has been unpacked as far as that, and counts.
            n_unpacked += _n_unpacked(item, entry, limits)
            if n_unpacked > most:
                raise RequestTooLargeError(
                    f"the zip unpacks to more than {most:,} bytes; those files before are taught, "
                    "send the rest in another one"
                )
            yield item


def _n_unpacked(item: Item, entry: zipfile.ZipInfo, limits: Limits) -> int:
    if isinstance(item.source, RawItem):
        return len(item.source.content)
    return min(entry.file_size, limits.body_bytes)


def _most_unpacked(spool: IO[bytes], limits: Limits) -> int:
    here = spool.tell()
    n_bytes = spool.seek(0, 2)
    spool.seek(here)
    return min(_MOST_UNPACKED * limits.import_bytes, _MOST_RATIO * n_bytes + _FREE_BYTES)


def _file_item(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limits: Limits) -> Item:
    name = entry.filename[:300]
    folder = entry.filename.rpartition("/")[0].rpartition("/")[2]
    if not folder:
        hint = "put every file into a folder that is named after its class"
        return Item(name=name, error=InvalidLabelError(hint))
    if stat.S_ISLNK(entry.external_attr >> 16):
        return Item(name=name, error=DecodeError("a link is no sample; pack the file itself"))
    try:
        with archive.open(entry) as file:
            content = file.read(limits.body_bytes + 1)
    except (*_UNREADABLE, ValueError):
        hint = "this file of the zip is damaged or encrypted"
        return Item(name=name, error=DecodeError(hint))
    if len(content) > limits.body_bytes:
        hint = f"the file has more than {limits.body_bytes:,} bytes"
        return Item(name=name, error=SampleTooLargeError(hint))
    return Item(folder, RawItem(content), name=name)


def _check_directory(spool: IO[bytes]) -> None:
    """Refuse a directory that would fill memory before a single entry is read."""
    n_bytes = spool.seek(0, 2)
    spool.seek(max(0, n_bytes - 65_557))
    tail = spool.read()
    at = tail.rfind(_END_OF_DIRECTORY)
    if at < 0 or len(tail) < at + 22:
        raise MalformedRequestError("the body is not a zip file, or it was cut off")
    (directory_bytes,) = struct.unpack_from("<I", tail, at + 12)
    if directory_bytes > _DIRECTORY_BYTES:
        raise RequestTooLargeError("the zip lists too many files; send it in parts")
    spool.seek(0)


def _is_clutter(name: str) -> bool:
    """Tell files that archivers and desktops add on their own."""
    return name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith(".")


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/collections/{collection}/supports:import",
        import_supports,
        "Teach many examples",
        {200: (JSON, ref("Imported"))},
        takes={NDJSON: {"description": "Lines, each an ImportLine."}, ZIP: SAMPLE_FILE},
        scopes=("teach",),
        lane="import",
        body="spooled",
        problems=(404, 409, 424),
        examples=[
            Example(
                NDJSON,
                '{"label": "refund", "text": "I want my money back"}\n'
                '{"label": "delivery", "text": "where is my parcel"}\n',
            )
        ],
        note="NDJSON: one `{label, text|data, metadata?}` a line. Zip: a folder for each class. "
        "Every item has a receipt or an error; sending the same import again repeats nothing.",
    ),
)
