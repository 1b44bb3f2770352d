"""Is it alive, is it ready, what does it count: the three calls that need no key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from imprint.errors import EncoderNotFoundError, ImprintError, NotReadyError
from imprint.intake.decode import to_sample
from imprint.serve import metrics
from imprint.serve.endpoint import Call, Endpoint, json_response
from imprint.serve.schemas.parts import TEXT, ref
from imprint.serve.wire import JSON

if TYPE_CHECKING:
    from imprint.flows.workspace import Workspace
    from imprint.types import Modality, Sample


class Readiness:
    """Whether a probe went through the real encoder, on a real worker thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.passed = False
        self.reason = "the encoder is being loaded"

    def probe(self) -> None:
        """Embed one sample with the default text encoder; where there is none, an image.

        Raises:
            ImprintError: no encoder answered; `reason` says why.
        """
        try:
            try:
                self._embed("text")
            except EncoderNotFoundError:
                self._embed("image")
        except ImprintError as error:
            self.reason = f"no encoder answers ({error.code})"
            raise
        self.passed = True

    def _embed(self, modality: Modality) -> None:
        name = self._workspace.settings.encoder_for(modality)
        self._workspace.shelf.named(name, modality).encode([_probe_sample(modality)])

    def check(self) -> None:
        """Raises NotReadyError unless the probe passed and the store answers now."""
        if not self.passed:
            raise NotReadyError(self.reason, retry_after_s=2.0)
        try:
            self._workspace.store_view.collections()
        except Exception:  # noqa: BLE001 - whatever the store's failure is, the answer is "not ready"
            raise NotReadyError("the store does not answer", retry_after_s=2.0) from None


def _probe_sample(modality: Modality) -> Sample:
    if modality == "text":
        return to_sample("is anyone there", "text")
    import numpy as np

    ramp = np.arange(64 * 64 * 3, dtype=np.int64).reshape(64, 64, 3) % 251
    return to_sample(ramp.astype(np.uint8), "image")


def livez(call: Call) -> Response:  # noqa: ARG001 - every handler takes a call
    """Say that the process runs; asks nothing of anything."""
    return json_response({"status": "alive"})


def readyz(call: Call) -> Response:
    """Say whether the encoder and the store answer."""
    call.readiness.check()
    return json_response({"status": "ready"})


def show_metrics(call: Call) -> Response:
    """Count what happened, for Prometheus."""
    return Response(call.metrics.page(), 200, None, metrics.MEDIA_TYPE)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/livez",
        livez,
        "Is the process alive",
        {200: (JSON, ref("Status"))},
        scopes=None,
        lane="loop",
        note="Depends on nothing, and answers before the encoder is loaded.",
    ),
    Endpoint(
        "GET",
        "/readyz",
        readyz,
        "Is the server ready",
        {200: (JSON, ref("Status"))},
        scopes=None,
        lane="probe",
        problems=(503,),
        note="503 until a probe went through the real encoder, and whenever the store fails.",
    ),
    Endpoint(
        "GET",
        "/metrics",
        show_metrics,
        "Metrics in Prometheus' text format",
        {200: ("text/plain", TEXT)},
        scopes=None,
        lane="loop",
        note="No series carries a tenant, a collection or a label.",
    ),
)
