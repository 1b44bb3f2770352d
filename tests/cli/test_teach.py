"""The main job from the command line: teach, classify, verify, forget, feedback."""

from __future__ import annotations

import io
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def picture(seed: int = 0, kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def test_one_example_makes_the_collection_and_the_class(told, run) -> None:
    receipt = told("teach", "tickets", "refund", "please give me my money back")
    assert receipt["label"] == "refund"
    assert receipt["state"] == "active"
    assert receipt["sequence"] == 1
    answer = told("classify", "tickets", "please give me my money back")
    assert (answer["decision"], answer["label"]) == ("recognized", "refund")
    assert answer["evidence"][0]["support_id"] == receipt["support_id"]


def test_an_image_file_makes_an_image_collection_whatever_its_name(told) -> None:
    Path("biscuit.dat").write_bytes(picture())
    told("teach", "pets", "biscuit", "biscuit.dat")
    (facts,) = told("collections", "list")["collections"]
    assert facts["modality"] == "image"
    assert told("classify", "pets", "biscuit.dat")["label"] == "biscuit"


def test_a_sound_file_makes_an_audio_collection(told) -> None:
    at = np.arange(8000) / 16_000
    tone = 0.3 * np.sin(2 * np.pi * 500 * at) * np.sin(2 * np.pi * at)
    with wave.open("clip.wav", "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(np.round(tone * 32767).astype("<i2").tobytes())
    told("teach", "voice", "on", "clip.wav")
    (facts,) = told("collections", "list")["collections"]
    assert facts["modality"] == "audio"
    assert told("classify", "voice", "clip.wav")["candidates"][0]["label"] == "on"


def test_a_text_file_is_read_and_not_taken_for_its_name(told) -> None:
    Path("ticket.txt").write_text("please give me my money back", encoding="utf-8")
    first = told("teach", "tickets", "refund", "ticket.txt")
    again = told("teach", "tickets", "refund", "please give me my money back")
    assert first["support_id"] == again["support_id"]


def test_standard_input_and_at_sign_name_sources_too(told, tickets) -> None:
    assert told("classify", tickets, "-", given="money back please")["candidates"]
    Path("query").write_text("money back please", encoding="utf-8")
    assert told("classify", tickets, "@query")["candidates"]


def test_image_bytes_come_through_standard_input(told) -> None:
    told("teach", "pets", "biscuit", "-", given=picture())
    assert told("classify", "pets", "-", given=picture())["label"] == "biscuit"


def test_the_flag_text_takes_a_file_name_as_text(told, tickets) -> None:
    Path("late.txt").write_text("x", encoding="utf-8")
    assert told("teach", tickets, "files", "late.txt", "--text")["label"] == "files"


@pytest.mark.parametrize("word", ["garden.jpg", "@nothing", "report.pdf", "./x", "/no/such"])
def test_a_file_that_is_not_there_is_an_error_and_not_a_text(told, run, word, tickets) -> None:
    error = told("classify", tickets, word, code=4)["error"]
    assert error["code"] == "not_found"
    assert "--text" in error["message"]


def test_several_sources_are_answered_in_order_with_an_error_each(told, run, tickets) -> None:
    answers = told("classify", tickets, "money back", " ", "late parcel", code=3)["answers"]
    assert [("error" in answer) for answer in answers] == [False, True, False]
    assert answers[1]["error"]["code"] == "empty_sample"
    assert "error:" in run("classify", tickets, "money back", " ").stdout


def test_an_unknown_query_is_an_answer_and_exits_0(run, told, tickets) -> None:
    told("teach", tickets, "third", "an entirely different matter altogether")
    result = run("classify", tickets, "xyzzy plugh 12345")
    assert result.exit_code == 0
    assert "nearest" in result.stdout


def test_the_answer_for_people_names_label_confidence_and_nearest_support(run, tickets) -> None:
    shown = run("classify", tickets, "please give me my money back").stdout
    assert shown.startswith("refund  recognized, confidence ")
    assert "nearest" in shown
    assert " s_" in shown


def test_classifying_in_an_empty_collection_is_unknown(told) -> None:
    told("collections", "create", "empty", "--modality", "text")
    assert told("classify", "empty", "anything")["decision"] == "unknown"


def test_verify_says_yes_and_no_and_exits_0_both_times(told, run, tickets) -> None:
    assert told("verify", tickets, "refund", "please give me my money back")["accepted"]
    result = run("verify", tickets, "late", "please give me my money back")
    assert result.exit_code == 0
    assert "accepted" in result.stdout


def test_a_forgotten_class_is_gone_from_the_next_answer(told, tickets) -> None:
    assert told("forget", tickets, "--label", "refund") == {"removed": 1}
    labels = [c["label"] for c in told("classify", tickets, "money back")["candidates"]]
    assert labels == ["late"]
    assert (
        told("forget", tickets, "--label", "refund", code=4)["error"]["code"] == "label_not_found"
    )


def test_one_support_is_forgotten_by_its_id(told, tickets) -> None:
    (support,) = told("supports", tickets, "--label", "late")["supports"]
    assert told("forget", tickets, "--support", support["support_id"], "--erase")["removed"] == 1
    assert told("supports", tickets)["supports"][0]["label"] == "refund"


def test_forget_wants_exactly_one_of_label_and_support(run, tickets) -> None:
    assert run("forget", tickets).exit_code == 2
    assert run("forget", tickets, "--label", "a", "--support", "b").exit_code == 2


def test_feedback_is_stored_for_an_answer(told, run, tickets) -> None:
    answer = told("classify", tickets, "money back")
    assert told("feedback", tickets, answer["id"], "--label", "late")["label"] == "late"
    assert run("feedback", tickets, answer["id"], "--none").exit_code == 0
    assert run("feedback", tickets, answer["id"]).exit_code == 2
    assert told("feedback", tickets, "a_nothing", "--none", code=4)["error"]["code"]


@pytest.mark.parametrize(
    ("label", "source", "code"),
    [
        ("", "a text", "invalid_label"),
        ("../x", "a text", "invalid_label"),
        ("a\nb", "a text", "invalid_label"),
        ("x" * 1_000_000, "a text", "invalid_label"),
        ("good", "   ", "empty_sample"),
        ("good", "a" * 1_100_000, "sample_too_large"),
    ],
)
def test_bad_input_names_the_problem_and_makes_no_collection(told, label, source, code) -> None:
    error = told("teach", "fresh", label, source, "--text", "--modality", "text", code=3)["error"]
    assert error["code"] == code
    assert told("collections", "list") == {"collections": []}


@pytest.mark.parametrize("content", [b"", picture()[:100], b"%PDF-1.4\n%\xe2\xe3", b"\x00\x01\x02"])
def test_a_broken_image_is_refused_and_makes_no_collection(told, content) -> None:
    Path("broken.jpg").write_bytes(content)
    assert "error" in told("teach", "pets", "biscuit", "broken.jpg", code=3)
    assert "error" in told("teach", "pets", "x", "broken.jpg", "--modality", "image", code=3)
    assert told("collections", "list") == {"collections": []}


def test_a_sample_of_another_modality_is_refused(told, tickets) -> None:
    Path("biscuit.png").write_bytes(picture())
    assert told("teach", tickets, "x", "biscuit.png", code=3)["error"]["code"]


def test_the_same_sample_under_two_labels_is_a_conflict(told, tickets) -> None:
    error = told("teach", tickets, "other", "please give me my money back", code=5)["error"]
    assert error["code"] == "label_conflict"
    assert "refund" in error["message"]


def test_reading_verbs_make_no_workspace(run, told, home) -> None:
    assert told("labels", "tickets", code=4)["error"]["code"] == "not_found"
    assert not home.exists()


@pytest.mark.parametrize("word", ["./deep", "@deep", "deep/er"])
def test_a_folder_is_no_source_and_import_is_named(told, tickets, word) -> None:
    Path("deep/er").mkdir(parents=True)
    error = told("teach", tickets, "x", word, code=3)["error"]
    assert "imprint import" in error["message"]


@pytest.mark.parametrize("word", ["deep", "https://example.org/x", "and/or", "/ is a slash"])
def test_words_that_only_resemble_paths_are_texts(told, tickets, word) -> None:
    Path("deep").mkdir()
    assert told("teach", tickets, "x", word)["label"] == "x"


def test_two_processes_teach_one_workspace_and_lose_nothing(home, told, tickets) -> None:
    command = [sys.executable, "-m", "imprint", "teach", tickets, "late"]
    writers = [subprocess.Popen([*command, f"late parcel number {i}"]) for i in range(4)]
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    assert told("labels", tickets)["labels"][1] == {"label": "late", "n_supports": 5}
