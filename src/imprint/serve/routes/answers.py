"""Answers: classify one or many, verify, and say what would have been right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imprint.errors import AnswerNotFoundError, ImprintError
from imprint.serve.endpoint import Call, Endpoint, Example, json_response
from imprint.serve.problems import problem_of
from imprint.serve.schemas.parts import ref
from imprint.serve.wire import FORM, JSON, checked, media_type_of, read_json, source_of

if TYPE_CHECKING:
    from starlette.responses import Response

    from imprint.flows.collection import Collection
    from imprint.types import RawItem

_COLLECTION = "/v1/collections/{collection}"


def classify(call: Call) -> Response:
    """Answer one query, or many when the body holds `inputs`."""
    collection = call.collection()
    if media_type_of(call.headers.get("content-type")) == JSON:
        shape = read_json(call.body)
        if isinstance(shape, dict) and "inputs" in shape:
            return _classify_many(call, collection, checked(shape, "ClassifyMany"))
        fields = checked(shape, "ClassifyOne")
    else:
        fields = call.fields("ClassifyOne", "ClassifyForm")
    answer = collection.classify(
        source_of(fields, collection.modality),
        top_k=fields.get("top_k", 5),
        min_sequence=fields.get("min_sequence"),
    )
    call.metrics.answered(answer.decision)
    return json_response(answer.to_json())


def _classify_many(call: Call, collection: Collection, fields: dict[str, Any]) -> Response:
    sources: list[Any] = []
    outcomes: list[Any] = []
    for one in fields["inputs"]:
        try:
            sources.append(_one_of_many(one, collection.modality))
            outcomes.append(None)
        except ImprintError as error:
            outcomes.append(error)
    found = iter(
        collection.classify_many(
            sources,
            top_k=fields.get("top_k", 5),
            min_sequence=fields.get("min_sequence"),
            transductive=fields.get("transductive", False),
        )
    )
    answers = [next(found) if outcome is None else outcome for outcome in outcomes]
    return json_response({"answers": [_answer_or_error(call, one) for one in answers]})


def _one_of_many(one: Any, modality: str) -> RawItem | str:
    if not isinstance(one, str):
        return source_of(one, modality)
    return source_of({"text": one}, modality)


def _answer_or_error(call: Call, outcome: Any) -> dict[str, Any]:
    if isinstance(outcome, ImprintError):
        return {"error": problem_of(outcome)}
    call.metrics.answered(outcome.decision)
    shape: dict[str, Any] = outcome.to_json()
    return shape


def verify(call: Call) -> Response:
    """Say whether one query is of the named class."""
    collection = call.collection()
    fields = call.fields("VerifyOne", "VerifyForm")
    source = source_of(fields, collection.modality)
    return json_response(collection.verify(call.path["label"], source).to_json())


def feed_back(call: Call) -> Response:
    """Store what the right answer would have been."""
    answer_id = call.path["answer"]
    label = call.fields("Feedback")["label"]
    return json_response(collection_of(call, answer_id).feedback(answer_id, label).to_json())


def collection_of(call: Call, answer_id: str) -> Collection:
    """Find the collection that gave an answer; answers are addressed without it."""
    workspace = call.workspace
    workspace.log.flush()
    row = workspace.store_view.answer(answer_id)
    for collection in workspace.store_view.collections():
        if collection.collection_id == row.collection_id:
            return workspace.collection(collection.name)
    raise AnswerNotFoundError("there is no such answer on record")


ENDPOINTS = (
    Endpoint(
        "POST",
        f"{_COLLECTION}:classify",
        classify,
        "Classify one query, or many",
        {200: (JSON, {"anyOf": [ref("Answer"), ref("Answers")]})},
        takes={
            JSON: {"anyOf": [ref("ClassifyOne"), ref("ClassifyMany")]},
            FORM: ref("ClassifyForm"),
        },
        scopes=("classify",),
        body="held",
        problems=(404, 409, 424),
        examples=[Example(JSON, {"text": "please refund my order", "top_k": 3})],
        note='Many: `{"inputs": [...]}` gives `{"answers": [...]}` in the same order, where a '
        "refused input has an `error` in its place. With `transductive`, inputs inform each other.",
    ),
    Endpoint(
        "POST",
        f"{_COLLECTION}/labels/{{label}}:verify",
        verify,
        "Verify that a query is of one class",
        {200: (JSON, ref("Verification"))},
        takes={JSON: ref("VerifyOne"), FORM: ref("VerifyForm")},
        scopes=("classify",),
        body="held",
        problems=(404, 409, 424),
        examples=[Example(JSON, {"text": "please refund my order"})],
    ),
    Endpoint(
        "POST",
        "/v1/answers/{answer}/feedback",
        feed_back,
        "Say what the right answer would have been",
        {200: (JSON, ref("Correction"))},
        takes={JSON: ref("Feedback")},
        scopes=("classify",),
        lane="teach",
        body="held",
        problems=(404, 409),
        examples=[Example(JSON, {"label": None})],
        note="`null` says none of these. `misled_by` is the support that caused a mistake.",
    ),
)
