"""Review: dry runs, what is held, decisions about it, going back, learning from feedback."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imprint.serve.endpoint import Call, Endpoint, Example, json_response
from imprint.serve.routes.answers import collection_of
from imprint.serve.schemas.parts import listed, record, ref
from imprint.serve.wire import FORM, JSON, source_of

if TYPE_CHECKING:
    from starlette.responses import Response

_COLLECTION = "/v1/collections/{collection}"
_SUPPORT = f"{_COLLECTION}/supports/{{support}}"


def validate(call: Call) -> Response:
    """Tell what teaching would lead to; stores nothing."""
    fields = call.fields("Candidacy", "CandidacyForm")
    collection = call.collection()
    source = source_of(fields, collection.modality)
    return json_response(collection.validate(fields["label"], source).to_json())


def list_held(call: Call) -> Response:
    """List what awaits review, with the checks that hold it."""
    return json_response({"items": [one.to_json() for one in call.collection().quarantine()]})


def release(call: Call) -> Response:
    """Let a held support answer."""
    return json_response(call.collection().release(call.path["support"]).to_json())


def hold(call: Call) -> Response:
    """Hold an active support for review."""
    return json_response(call.collection().hold(call.path["support"]).to_json())


def relabel(call: Call) -> Response:
    """Give a support its right label; it answers from now on."""
    label = call.fields("Relabel")["label"]
    return json_response(call.collection().relabel(call.path["support"], label).to_json())


def reject(call: Call) -> Response:
    """Remove a support that was reviewed."""
    erase = call.fields("Rejection").get("erase", False)
    collection = call.collection()
    collection.reject(call.path["support"], erase=erase)
    return json_response({"n_removed": 1, "sequence": collection.sequence})


def revert(call: Call) -> Response:
    """Return a collection, or one class, to an earlier write."""
    fields = call.fields("Return")
    done = call.collection().revert(fields["sequence"], label=fields.get("label"))
    return json_response(done.to_json())


def teach_answer(call: Call) -> Response:
    """Store a correction and teach the query under its right class."""
    answer_id, label = call.path["answer"], call.fields("TaughtAnswer")["label"]
    done = collection_of(call, answer_id).feedback(answer_id, label, teach=True)
    status = 202 if done.receipt is not None and done.receipt.state == "quarantined" else 201
    return json_response(done.to_json(), status)


ENDPOINTS = (
    Endpoint(
        "POST",
        f"{_COLLECTION}/supports:validate",
        validate,
        "Tell what teaching an example would lead to",
        {200: (JSON, ref("Preview"))},
        takes={JSON: ref("Candidacy"), FORM: ref("CandidacyForm")},
        scopes=("teach", "review"),
        lane="teach",
        body="held",
        problems=(404, 424),
        examples=[Example(JSON, {"label": "refund", "text": "I want my money back"})],
        note="A dry run: every check, the state the support would have, and how many samples of "
        "which other classes would change sides.",
    ),
    Endpoint(
        "GET",
        f"{_COLLECTION}/quarantine",
        list_held,
        "List what is held for review, and why",
        {200: (JSON, record({"items": listed(ref("Held"))}, ["items"]))},
        scopes=("review",),
        problems=(404,),
    ),
    Endpoint(
        "POST",
        f"{_SUPPORT}:release",
        release,
        "Let a held support answer",
        {200: (JSON, ref("Receipt"))},
        scopes=("review",),
        lane="teach",
        problems=(404, 409, 424),
    ),
    Endpoint(
        "POST",
        f"{_SUPPORT}:quarantine",
        hold,
        "Hold an active support for review",
        {200: (JSON, ref("Receipt"))},
        scopes=("review",),
        lane="teach",
        problems=(404, 409, 424),
    ),
    Endpoint(
        "POST",
        f"{_SUPPORT}:relabel",
        relabel,
        "Give a support its right label",
        {200: (JSON, ref("Receipt"))},
        takes={JSON: ref("Relabel")},
        scopes=("review",),
        lane="teach",
        body="held",
        problems=(404, 409, 424),
        examples=[Example(JSON, {"label": "refund"})],
        note="It answers with its new label from now on, whatever state it was in.",
    ),
    Endpoint(
        "POST",
        f"{_SUPPORT}:reject",
        reject,
        "Remove a support that was reviewed",
        {200: (JSON, ref("Removed"))},
        takes={JSON: ref("Rejection")},
        scopes=("review",),
        lane="teach",
        body="held",
        problems=(404, 409),
        examples=[Example(JSON, {})],
        note="Reverting can bring it back, unless it was erased.",
    ),
    Endpoint(
        "POST",
        f"{_COLLECTION}:revert",
        revert,
        "Return a collection or a class to an earlier write",
        {200: (JSON, ref("Reverted"))},
        takes={JSON: ref("Return")},
        scopes=("review",),
        lane="teach",
        body="held",
        problems=(404, 409),
        examples=[Example(JSON, {"sequence": 0})],
        note="A new write: reverting to the sequence before it undoes it.",
    ),
    Endpoint(
        "POST",
        "/v1/answers/{answer}:teach",
        teach_answer,
        "Correct an answer and learn from it",
        {201: (JSON, ref("Correction")), 202: (JSON, ref("Correction"))},
        takes={JSON: ref("TaughtAnswer")},
        scopes=("teach",),
        lane="teach",
        body="held",
        problems=(404, 409, 424),
        examples=[Example(JSON, {"label": "refund"})],
        note="As feedback, and the query becomes a support of its right class (`null`: of none) "
        "after the same checks as any other. 202: it is held for review.",
    ),
)
