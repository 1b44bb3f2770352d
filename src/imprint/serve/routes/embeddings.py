"""Embeddings in the shape that OpenAI's clients send and read."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from imprint.errors import Fault, ImprintError
from imprint.intake.decode import to_sample
from imprint.serve.endpoint import Call, Endpoint, Example, json_response
from imprint.serve.schemas.parts import ref
from imprint.serve.wire import JSON, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.responses import Response

    from imprint.encoders.protocol import Encoder
    from imprint.types import Sample, UnitVector

# Texts of one request are embedded in steps, so that a large request does not hold much memory.
_STEP = 64


def embed(call: Call) -> Response:
    """Embed texts with a named encoder."""
    fields = call.fields("EmbeddingsRequest")
    encoder = call.workspace.shelf.named(fields["model"], "text")
    _check_width(fields.get("dimensions"), encoder)
    texts = fields["input"]
    samples = _samples(texts if isinstance(texts, list) else [texts])
    written = _as_base64 if fields.get("encoding_format") == "base64" else _as_numbers
    rows = [
        {"object": "embedding", "index": i, "embedding": written(vector)}
        for i, vector in enumerate(_vectors(encoder, samples))
    ]
    call.metrics.embedded(len(rows))
    usage = dict.fromkeys(("prompt_tokens", "total_tokens"), _n_tokens(encoder, samples))
    return json_response({"object": "list", "model": encoder.version, "data": rows, "usage": usage})


def _vectors(encoder: Encoder, samples: list[Sample]) -> Iterator[UnitVector]:
    for start in range(0, len(samples), _STEP):
        yield from encoder.encode(samples[start : start + _STEP])


def _samples(texts: list[str]) -> list[Sample]:
    samples: list[Sample] = []
    faults: list[Fault] = []
    for i, text in enumerate(texts):
        try:
            samples.append(to_sample(text, "text"))
        except ImprintError as error:
            faults.append(Fault(f"/input/{i}", error.code, str(error)))
    if faults:
        refuse(faults)
    return samples


def _check_width(asked: int | None, encoder: Encoder) -> None:
    if asked is not None and asked != encoder.dim:
        text = f"this encoder makes vectors of {encoder.dim} numbers; leave it out or say so"
        refuse([Fault("/dimensions", "out_of_range", text)])


def _as_numbers(vector: UnitVector) -> Any:
    return vector.tolist()


def _as_base64(vector: UnitVector) -> Any:
    return base64.b64encode(np.ascontiguousarray(vector, dtype="<f4").tobytes()).decode()


def _n_tokens(encoder: Encoder, samples: list[Sample]) -> int:
    """Count tokens where the encoder can; 0 says that it cannot."""
    count = getattr(encoder, "count_tokens", None)
    return int(count(samples)) if callable(count) else 0


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/embeddings",
        embed,
        "Embed texts (OpenAI-compatible)",
        {200: (JSON, ref("Embeddings"))},
        takes={JSON: ref("EmbeddingsRequest")},
        scopes=("classify",),
        body="held",
        problems=(404, 424),
        examples=[Example(JSON, {"model": "minilm-l6", "input": ["a first text", "a second"]})],
        note="`model` is the name of a text encoder. Lists of token numbers are not read.",
    ),
)
