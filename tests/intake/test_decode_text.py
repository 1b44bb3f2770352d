"""Text comes in composed and trimmed; whatever is no text is refused with its position or size."""

import hashlib

import pytest

from imprint.errors import (
    DecodeError,
    EmptySampleError,
    InvalidInputError,
    ModalityMismatchError,
    SampleTooLargeError,
)
from imprint.intake.decode import DecodeLimits, guess_modality, to_sample


def test_text_is_composed_and_trimmed():
    sample = to_sample("  cafe\u0301\n", "text")
    assert sample.value == "caf\u00e9"
    assert sample.content_hash == hashlib.sha256("caf\u00e9".encode()).hexdigest()
    assert to_sample("caf\u00e9".encode(), "text").content_hash == sample.content_hash


@pytest.mark.parametrize(
    "text", ["\U0001f44d\U0001f3fd ok", "مرحبا بالعالم", "שלום", "日本語", "a\tb\nc\r\nd", "x"]
)
def test_emoji_and_every_script_pass_unchanged(text):
    assert to_sample(text, "text").value == text


@pytest.mark.parametrize("text", ["", "   ", "\n\t\r ", "\u00a0\u2003", "\ufeff"])
def test_nothing_but_white_space_is_refused(text):
    for source in (text, text.encode()):
        with pytest.raises(EmptySampleError) as refusal:
            to_sample(source, "text")
        assert refusal.value.checks[0].verdict == "reject"


@pytest.mark.parametrize("bad", ["\x00", "\x07", "\x1b", "\x7f", "\x85"])
def test_control_characters_are_refused_with_their_place(bad):
    with pytest.raises(DecodeError, match=rf"U\+{ord(bad):04X} at position 3"):
        to_sample(f"abc{bad}def", "text")


def test_invalid_utf8_is_refused_with_its_offset():
    with pytest.raises(DecodeError, match="byte or character 3"):
        to_sample(b"abc\xff\xfedef", "text")
    with pytest.raises(DecodeError, match="UTF-16"):
        to_sample("hello".encode("utf-16"), "text")
    with pytest.raises(DecodeError, match="UTF-8"):
        to_sample("half \ud83d", "text")


def test_a_byte_order_mark_is_dropped():
    assert to_sample(b"\xef\xbb\xbfhello", "text").value == "hello"


def test_a_megabyte_of_text_is_refused_with_both_numbers():
    for source in ("x" * 1_000_000, b"x" * 1_000_000):
        with pytest.raises(SampleTooLargeError, match=r"1,000,000.*20,000 characters"):
            to_sample(source, "text")
    assert to_sample("x" * 20_000, "text").value == "x" * 20_000
    with pytest.raises(SampleTooLargeError):
        to_sample("x" * 11, "text", limits=DecodeLimits(text_characters=10))


def test_a_string_is_the_text_and_a_path_is_a_file(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("from the file", encoding="utf-8")
    assert to_sample(path, "text").value == "from the file"
    assert to_sample(str(path), "text").value == str(path)
    path.write_text("x" * 200_000, encoding="utf-8")
    with pytest.raises(SampleTooLargeError):
        to_sample(path, "text")
    with pytest.raises(InvalidInputError, match="not found"):
        to_sample(tmp_path / "absent.txt", "text")


def test_an_image_for_a_text_collection_is_named_as_such():
    with pytest.raises(ModalityMismatchError, match=r"PNG image.*takes text"):
        to_sample(b"\x89PNG\r\n\x1a\n" + bytes(range(128, 160)), "text")


def test_messages_never_hold_the_text():
    with pytest.raises(InvalidInputError) as refusal:
        to_sample("secret phrase\x00", "text")
    assert "secret" not in str(refusal.value)


def test_the_modality_of_plain_strings_and_bytes_is_guessed_as_text():
    assert guess_modality("my card does not work") == "text"
    assert guess_modality(b"plain bytes") == "text"
    assert guess_modality("missing.jpg") == "image"
    assert guess_modality("missing.wav") == "audio"
