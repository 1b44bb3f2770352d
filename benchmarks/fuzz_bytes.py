"""Fuzz what reads strangers' bytes, guided by coverage (atheris), for a stated time each.

    python benchmarks/fuzz_bytes.py image --seconds 600
    python benchmarks/fuzz_bytes.py zip --seconds 600

Targets: image, audio, text (decoders); zip, ndjson, table (importers); form, json, access (the
server's readers). Refusing in our own words is the only failure allowed: any other exception, more
than 2 GiB of memory or 25 seconds for one input stop the run with the input that did it.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import atheris

with atheris.instrument_imports(include=["imprint"]):
    import imprint.flows.tables.kinds
    import imprint.intake.decode
    import imprint.intake.masking
    import imprint.serve.access.rules
    import imprint.serve.routes.bulk
    import imprint.serve.wire
    from imprint.errors import ImprintError

if TYPE_CHECKING:
    from collections.abc import Callable

import numpy as np
from PIL import Image

from imprint.flows.tables import open_table
from imprint.intake.decode import to_sample
from imprint.serve.limits import Limits
from imprint.serve.routes import bulk
from imprint.serve.wire import checked, read_form, read_json
from imprint.types import RawItem

SMALL = Limits(body_bytes=1 << 20, import_bytes=4 << 20, n_items=2000)


def image(content: bytes) -> None:
    to_sample(RawItem(content), "image")


def audio(content: bytes) -> None:
    to_sample(RawItem(content), "audio")


def text(content: bytes) -> None:
    sample = to_sample(RawItem(content), "text")
    imprint.intake.masking.masked(sample, imprint.intake.masking.MASKS)


def zip_import(content: bytes) -> None:
    for item in bulk._files(io.BytesIO(content), SMALL):  # noqa: SLF001 - the importer itself
        assert item.error is not None or item.label


def ndjson(content: bytes) -> None:
    for _ in bulk._lines(io.BytesIO(content), "text", SMALL):  # noqa: SLF001 - the same
        pass


def form(content: bytes) -> None:
    read_form(content, "multipart/form-data; boundary=x")


def json_body(content: bytes) -> None:
    value = read_json(content)
    for schema in ("NewSupport", "ClassifyMany", "NewCollection", "NewKey"):
        try:
            checked(value, schema)
        except ImprintError:
            continue


def table(content: bytes) -> None:
    suffix = (".csv", ".jsonl", ".npz")[len(content) % 3]
    place = Path(tempfile.gettempdir()) / f"fuzz-{os.getpid()}{suffix}"
    place.write_bytes(content)
    try:
        for _ in open_table(place).rows():
            pass
    finally:
        place.unlink()


def access(content: bytes) -> None:
    place = Path(tempfile.gettempdir()) / f"fuzz-{os.getpid()}.toml"
    place.write_bytes(content)
    imprint.serve.access.rules.read_rules(place)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "image": image,
    "audio": audio,
    "text": text,
    "zip": zip_import,
    "ndjson": ndjson,
    "table": table,
    "form": form,
    "json": json_body,
    "access": access,
}


def seeds(target: str) -> list[bytes]:
    """Well-formed inputs to begin from."""
    picture = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    pictures = []
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"):
        file = io.BytesIO()
        picture.save(file, kind)
        pictures.append(file.getvalue())
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("cat/one.png", pictures[0])
        made.writestr("../dog/two.txt", "words " * 50)
    lines = b'{"label": "a", "text": "words"}\n{"label": null, "data": "data:a/b;base64,QUJD"}\n'
    arrays = io.BytesIO()
    np.savez(arrays, x=np.eye(4, dtype=np.float32), y=np.array(["a", "b", "a", "b"]))
    sound = b"RIFF$\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e"
    sound += b"\x00\x00\x02\x00\x10\x00data" + b"\x40\x00\x00\x00" + bytes(range(64))
    part = b'--x\r\nContent-Disposition: form-data; name="label"\r\n\r\nrefund\r\n--x--\r\n'
    return {
        "image": pictures,
        "audio": [sound],
        "text": [b"mail ann@example.org or +49 30 901820"],
        "zip": [archive.getvalue()],
        "ndjson": [lines],
        "table": [b"text,label\nwords,a\n", lines, arrays.getvalue()],
        "form": [part],
        "json": [json.dumps({"inputs": ["a", {"text": "b"}], "top_k": 3}).encode(), lines[:32]],
        "access": [b'[oidc]\nissuer = "a"\naudience = "b"\nkeys = "k"\ntenant = "c"\n'],
    }[target]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    target = TARGETS[chosen.target]

    def once(content: bytes) -> None:
        try:
            target(content)
        except ImprintError:
            return

    corpus = Path(tempfile.mkdtemp(prefix=f"fuzz-{chosen.target}-"))
    for number, content in enumerate(seeds(chosen.target)):
        (corpus / str(number)).write_bytes(content)
    options = [f"-max_total_time={chosen.seconds}", f"-seed={chosen.seed}", "-max_len=65536"]
    options += ["-rss_limit_mb=2048", "-timeout=25", "-print_final_stats=1", "-verbosity=1"]
    options.append(f"-artifact_prefix={corpus}/crash-")
    atheris.Setup([sys.argv[0], *options, str(corpus)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
