"""Reading labelled material: what is found, and what one broken row costs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imprint.errors import InvalidTableError, NotFoundError
from imprint.flows.tables import BadRow, TableRow, modality_of, open_table

SHARED = Path(__file__).parents[2].parent / "shared"


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def png(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), "red").save(path, "PNG")
    return path


def pairs(path: Path, **columns: str) -> list[tuple[str, object]]:
    return [
        (r.label, r.source) for r in open_table(path, **columns).rows() if isinstance(r, TableRow)
    ]


def bad(path: Path) -> list[BadRow]:
    return [row for row in open_table(path).rows() if isinstance(row, BadRow)]


@pytest.mark.parametrize(
    "header", ["text,label", "Text , Category", "utterance,intent", "query,class"]
)
def test_customary_columns_are_found(tmp_path, header) -> None:
    table = open_table(written(tmp_path / "t.csv", f"{header}\nhello,greet\n"))
    assert table.modality == "text"
    assert list(table.rows()) == [TableRow(1, "line 2", "greet", "hello")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_that_makes_the_header_readable(tmp_path, delimiter) -> None:
    path = written(tmp_path / "t.csv", f"label{delimiter}text\ngreet{delimiter}hello\n")
    assert pairs(path) == [("greet", "hello")]


def test_columns_can_be_named(tmp_path) -> None:
    path = written(tmp_path / "t.csv", "body,kind,label\nhello,a,b\n")
    assert pairs(path, text_column="Body", label_column="kind") == [("a", "hello")]


@pytest.mark.parametrize(
    "content", ["hello\nworld\n", "", "text\nhello\n", "label\nx\n", "a,b\n1,2\n"]
)
def test_a_file_without_the_columns_is_refused_with_what_was_found(tmp_path, content) -> None:
    with pytest.raises(InvalidTableError, match="--text-column"):
        open_table(written(tmp_path / "t.csv", content))


def test_quoted_line_breaks_delimiters_and_quotes_are_kept(tmp_path) -> None:
    path = written(tmp_path / "t.csv", 'text,label\n"one,\ntwo ""three""",a\nnext,b\n')
    assert pairs(path) == [("a", 'one,\ntwo "three"'), ("b", "next")]
    assert [row.place for row in open_table(path).rows()] == ["line 2", "line 4"]


def test_a_quote_that_is_never_closed_costs_its_line_only(tmp_path) -> None:
    path = written(tmp_path / "t.csv", 'text,label\ngood,a\n"broken,b\nfine,c\n"quoted, too",d\n')
    assert pairs(path) == [("a", "good"), ("c", "fine"), ("d", "quoted, too")]
    assert [(row.row, row.place) for row in bad(path)] == [(2, "line 3")]


def test_rows_with_too_few_or_too_many_fields_are_reported(tmp_path) -> None:
    path = written(tmp_path / "t.csv", "text,label\nalone\none, two,c\nfine,d\n")
    assert pairs(path) == [("d", "fine")]
    assert [row.row for row in bad(path)] == [1, 2]
    assert "quotes" in bad(path)[1].message


def test_bytes_that_are_not_utf8_cost_the_row_that_holds_them(tmp_path) -> None:
    path = written(tmp_path / "t.csv", b"text,label\ncaf\xe9,a\ncaf\xc3\xa9,b\n")
    assert pairs(path) == [("b", "café")]
    assert "UTF-8" in bad(path)[0].message


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_are_understood(tmp_path, encoding) -> None:
    path = written(tmp_path / "t.csv", "text,label\ncafé,a\n".encode(encoding))
    assert pairs(path) == [("a", "café")]


def test_a_field_beyond_the_limit_costs_its_row(tmp_path) -> None:
    path = written(tmp_path / "t.csv", f"text,label\n{'x' * 200_000},a\nfine,b\n")
    assert pairs(path) == [("b", "fine")]
    assert "131,072" in bad(path)[0].message


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=20))
def test_what_the_csv_module_writes_is_read_back(tmp_path_factory, rows) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([("text", "label"), *rows])
    path = written(tmp_path_factory.mktemp("t") / "t.csv", buffer.getvalue())
    assert pairs(path) == [(label, text) for text, label in rows]


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_no_content_makes_reading_raise_anything_else(tmp_path_factory, lines) -> None:
    content = b"text,label\n" + b"\n".join(lines)
    for row in open_table(written(tmp_path_factory.mktemp("t") / "t.csv", content)).rows():
        assert isinstance(row, TableRow | BadRow)


def test_json_lines_are_read_and_broken_ones_reported(tmp_path) -> None:
    lines = [
        json.dumps({"text": "hello", "intent": "greet"}),
        "{broken",
        "[1]",
        json.dumps({"text": 3, "label": "x"}),
        json.dumps({"other": "x"}),
        "",
        json.dumps({"Text": "bye", "label": 7}),
    ]
    path = written(tmp_path / "t.jsonl", "\n".join(lines))
    assert pairs(path) == [("greet", "hello"), ("7", "bye")]
    assert [row.place for row in bad(path)] == ["line 2", "line 3", "line 4", "line 5"]


def test_json_lines_without_any_readable_line_are_refused(tmp_path) -> None:
    with pytest.raises(InvalidTableError, match="one object per line"):
        open_table(written(tmp_path / "t.jsonl", "nothing\n"))


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_paths_are_relative_to_the_table(tmp_path, name) -> None:
    png(tmp_path / "images" / "a.png")
    content = {
        "t.csv": "path,label\nimages/a.png,x\nimages/lost.png,y\n",
        "t.jsonl": '{"path": "images/a.png", "label": "x"}\n{"path": "lost.png", "label": "y"}\n',
    }[name]
    path = written(tmp_path / name, content)
    assert open_table(path).modality == "image"
    assert pairs(path) == [("x", tmp_path / "images" / "a.png")]
    assert len(bad(path)) == 1


def test_a_folder_per_class_gives_its_files_in_order(tmp_path) -> None:
    for place in ("dog/2.png", "dog/1.png", "cat/deep/1.png", ".hidden/1.png", "cat/.skip.png"):
        png(tmp_path / place)
    table = open_table(tmp_path)
    assert (table.modality, table.n_rows) == ("image", 3)
    assert [row.place for row in table.rows()] == ["cat/deep/1.png", "dog/1.png", "dog/2.png"]
    assert [row.label for row in table.rows()] == ["cat", "dog", "dog"]


def test_an_empty_folder_is_refused(tmp_path) -> None:
    with pytest.raises(InvalidTableError, match="0 folders"):
        open_table(tmp_path)


def test_images_in_arrays_are_sources(tmp_path) -> None:
    x = np.arange(2 * 6 * 6, dtype=np.uint8).reshape(2, 6, 6)
    np.savez(tmp_path / "t.npz", x=x, y=np.array([3, 4]))
    table = open_table(tmp_path / "t.npz")
    assert table.modality == "image"
    assert [row.label for row in table.rows()] == ["3", "4"]
    np.testing.assert_array_equal(next(iter(table.rows())).source, x[0])


def test_black_and_white_and_text_arrays_are_sources_too(tmp_path) -> None:
    np.savez(tmp_path / "b.npz", x=np.ones((1, 4, 4), bool), y=np.array(["a"]))
    (row,) = open_table(tmp_path / "b.npz").rows()
    assert row.source.max() == 255
    np.savez(tmp_path / "t.npz", x=np.array(["hello"]), y=np.array(["greet"]))
    assert pairs(tmp_path / "t.npz") == [("greet", "hello")]


def test_vectors_in_arrays_are_kept_apart(tmp_path) -> None:
    np.savez(tmp_path / "v.npz", x=np.ones((3, 5), np.float32), y=np.array([0, 0, 1]))
    table = open_table(tmp_path / "v.npz")
    assert table.vectors is not None
    assert list(table.rows()) == []


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": np.ones((2, 4, 4))},
        {"x": np.ones((2, 4, 4), np.uint8), "y": np.ones(3)},
        {"x": np.ones((2, 4, 4), np.float32), "y": np.ones(2)},
        {"x": np.array([{}, {}]), "y": np.ones(2)},
    ],
)
def test_arrays_that_are_no_samples_are_refused(tmp_path, arrays) -> None:
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(InvalidTableError):
        open_table(tmp_path / "t.npz")


def test_other_kinds_and_missing_files_are_refused(tmp_path) -> None:
    with pytest.raises(InvalidTableError, match=r"\.xlsx"):
        open_table(written(tmp_path / "t.xlsx", "x"))
    with pytest.raises(InvalidTableError, match="npz"):
        open_table(written(tmp_path / "t.npz", "x"))
    with pytest.raises(NotFoundError):
        open_table(tmp_path / "nothing.csv")


@pytest.mark.parametrize(
    ("head", "modality"),
    [
        (b"\x89PNG\r\n\x1a\n", "image"),
        (b"\xff\xd8\xff\xe0", "image"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio"),
        (b"fLaC\x00", "audio"),
        ("héllo".encode(), "text"),
        (b"x" * 4095 + "é".encode(), "text"),
        (b"", None),
        (b"\x00\x01", None),
        (b"%PDF-1.7", None),
        (b"RIFF\x00\x00\x00\x00AVI ", None),
    ],
)
def test_the_modality_is_told_from_the_content(head, modality) -> None:
    assert modality_of(head) == modality


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="the shared data are not here")
def test_banking77_is_read_whole() -> None:
    table = open_table(SHARED / "data" / "banking77" / "train.csv")
    rows = list(table.rows())
    assert len(rows) == 10_003
    assert all(isinstance(row, TableRow) for row in rows)
    assert len({row.label for row in rows}) == 77
