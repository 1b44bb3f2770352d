"""Embeddings in OpenAI's shape."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from imprint.encoders.toy import ToyEncoder
from imprint.intake.decode import to_sample
from imprint.serve.schemas.check import COMPONENTS, faults_of
from serve.problem_checks import problem_in

if TYPE_CHECKING:
    from starlette.testclient import TestClient

PATH = "/v1/embeddings"


def test_numbers_and_base64_are_the_encoders_vectors(client: TestClient) -> None:
    texts = ["first words", "second words"]
    expected = ToyEncoder("text").encode([to_sample(text, "text") for text in texts])
    numbers = client.post(PATH, json={"model": "toy-text", "input": texts}).json()
    assert faults_of(numbers, COMPONENTS["Embeddings"]) == []
    rows = [one["embedding"] for one in numbers["data"]]
    np.testing.assert_array_equal(np.array(rows, dtype=np.float32), expected)
    asked = {"model": "toy-text", "input": texts, "encoding_format": "base64", "user": "me"}
    packed = client.post(PATH, json=asked).json()
    raw = [base64.b64decode(one["embedding"]) for one in packed["data"]]
    np.testing.assert_array_equal(np.array([np.frombuffer(r, "<f4") for r in raw]), expected)


def test_one_text_and_many_texts(client: TestClient) -> None:
    one = client.post(PATH, json={"model": "toy-text", "input": "a", "dimensions": 64}).json()
    assert [row["index"] for row in one["data"]] == [0]
    texts = [f"text {i}" for i in range(200)]
    many = client.post(PATH, json={"model": "toy-text", "input": texts}).json()
    assert [row["index"] for row in many["data"]] == list(range(200))


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"input": ["a", ""]}, "/input/1"),
        ({"input": []}, "/input"),
        ({"input": [[1, 2]]}, "/input/0"),
        ({"input": [1, 2]}, "/input/0"),
        ({"encoding_format": "int8"}, "/encoding_format"),
        ({"dimensions": 10}, "/dimensions"),
        ({"model": "../x"}, "/model"),
        ({"temperature": 1}, "/temperature"),
    ],
)
def test_a_wrong_request_is_refused_where_it_is_wrong(
    client: TestClient, change: dict[str, Any], pointer: str
) -> None:
    shape = {"model": "toy-text", "input": "words", **change}
    problem = problem_in(client.post(PATH, json=shape), 422, "invalid_request")
    assert problem["errors"][0]["pointer"] == pointer


def test_unknown_models_and_models_of_images_are_refused(client: TestClient) -> None:
    unknown = client.post(PATH, json={"model": "text-embedding-3-small", "input": "a"})
    problem_in(unknown, 404, "encoder_not_found")
    image = client.post(PATH, json={"model": "toy-image", "input": "a"})
    problem_in(image, 422, "modality_mismatch")
