"""Report and advise from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from imprint import errors


def test_a_report_is_one_document_and_a_table(run, told, tickets):
    report = told("report", tickets)
    assert report["collection"] == tickets
    assert {"label", "n_supports", "expected", "one_more"} <= set(report["classes"][0])
    assert "supports" in run("report", tickets).stdout


def test_advice_names_lines_of_a_text_file(run, told, tickets):
    Path("inbox.txt").write_text(
        "violin lessons on tuesday\n\nviolin lessons on friday\nmoney back please\n",
        encoding="utf-8",
    )
    (first, second) = told("advise", tickets, "inbox.txt", "-n", "2")["suggestions"]
    assert first["item"].startswith("violin")
    assert first["worth"] >= second["worth"]
    assert "violin" in run("advise", tickets, "inbox.txt").stdout


def test_advice_names_files_of_a_folder_and_passes_over_what_it_cannot_read(told):
    rng = np.random.default_rng(0)
    Path("pool/deep").mkdir(parents=True)
    for name in ("a.png", "deep/b.png"):
        pixels = rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(Path("pool") / name)
    Path("pool/broken.png").write_bytes(b"no image")
    taught = rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)
    taught[..., 0] = 255
    Image.fromarray(taught).save("red.png")
    told("teach", "colors", "red", "red.png")
    named = {one["item"] for one in told("advise", "colors", "pool")["suggestions"]}
    assert named == {"a.png", "deep/b.png"}


def test_a_place_that_is_not_there_is_named_as_such(told, tickets):
    document = told("advise", tickets, "nothing.txt", code=4)
    assert document["error"]["code"] == errors.NotFoundError.code
    Path("bytes.bin").write_bytes(b"\xff\xfe\x00")
    assert told("advise", tickets, "bytes.bin", code=3)["error"]["code"] == "invalid_table"
