"""Markers are planted in everything a caller can send; nothing but the answer may hold them.

Text, bytes of an image, names of files, labels, metadata and failures carry markers through
teaching, asking, feedback, imports, refusals and a crash, with every logger at DEBUG. Then all that
is written anywhere is searched.
"""

from __future__ import annotations

import io
import logging
import traceback
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from starlette.testclient import TestClient

import imprint
from imprint.errors import ImprintError
from imprint.serve.app import make_app
from imprint.serve.auth import SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from imprint.settings import Settings

TEXT = "MARKERintext"
PIXELS = "MARKERinpng"
FILE = "MARKERinfilename"
LABEL = "MARKERinlabel"
META = "MARKERinmetadata"
CRASH = "MARKERincrash"
ODD = "MARKERinodd"
ALL = (TEXT, PIXELS, FILE, LABEL, META, CRASH, ODD)
CONTENT = (TEXT, PIXELS, FILE, CRASH, ODD)


def picture(seed: int) -> bytes:
    """A PNG whose comment is a marker."""
    pixels = np.random.default_rng(seed).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    comment = PngImagePlugin.PngInfo()
    comment.add_text("Comment", PIXELS)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", pnginfo=comment)
    return file.getvalue()


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("shapes/fine.png", picture(3))
        made.writestr(f"shapes/{FILE}.png", f"{ODD} is no picture")
    return file.getvalue()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    # The test's own client logs the addresses it asks; that is not the server's log.
    for name in ("httpx", "httpx2", "httpcore", "asyncio", "PIL"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with caplog.at_level(logging.DEBUG):
        yield caplog


@pytest.fixture
def client(home: Path, settings: Settings) -> Iterator[TestClient]:
    workspace = imprint.open(home, settings=settings)
    _, secret = workspace.create_key("test", SCOPES)
    app = make_app(workspace, close_workspace=True)
    with TestClient(app, headers={"Authorization": f"Bearer {secret}"}) as made:
        yield made


def send_everything(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Use every door; gives the answers that have no business holding what was sent."""
    quiet = {"keep_raw": False}
    for name, modality in (("texts", "text"), ("shapes", "image")):
        shape = {"name": name, "modality": modality, "policy": quiet}
        assert client.post("/v1/collections", json=shape).status_code == 201
    texts, shapes = "/v1/collections/texts", "/v1/collections/shapes"
    taught = {"label": "refund", "text": f"give back my money {TEXT}", "metadata": {"a": "b"}}
    assert client.post(f"{texts}/supports", json=taught).status_code in {201, 202}
    upload = {"file": (f"{FILE}.png", picture(1), "image/png"), "label": (None, "square")}
    assert client.post(f"{shapes}/supports", files=upload).status_code in {201, 202}
    asked = client.post(f"{texts}:classify", json={"text": f"money {TEXT}"})
    answer_id = asked.json()["id"]
    said = [asked, client.post(f"/v1/answers/{answer_id}/feedback", json={"label": "refund"})]
    said.append(client.post(f"{shapes}:classify", files={"file": (f"{FILE}.png", picture(2))}))
    zipped = {"Content-Type": "application/zip"}
    client.post(f"{shapes}/supports:import", content=archive(), headers=zipped)
    lines = f'{{"label": "x", "text": "{ODD} line"}}\n{{"unlisted": "{ODD}"}}\n{ODD}\n'
    said.append(
        client.post(
            f"{texts}/supports:import",
            content=lines,
            headers={"Content-Type": "application/x-ndjson"},
        )
    )
    said += refused_requests(client, texts, shapes)

    def broken(*_: object, **__: object) -> None:
        raise KeyError(CRASH, TEXT) from ValueError(CRASH)

    monkeypatch.setattr(imprint.Collection, "verify", broken)
    crashed = client.post(f"{texts}/labels/refund:verify", json={"text": f"x {TEXT}"})
    assert crashed.status_code == 500
    return [*said, crashed, client.get("/metrics")]


def refused_requests(client: TestClient, texts: str, shapes: str) -> list[Any]:
    return [
        client.post(f"{texts}:classify", json={"text": f"{ODD}\x00"}),
        client.post(f"{texts}:classify", content=b'{"text": "' + ODD.encode() + b"\xff"),
        client.post(f"{texts}:classify", content=ODD, headers={"Content-Type": "text/plain"}),
        client.post(f"{texts}:classify", json={"text": ODD * 100_000}),
        client.post(f"{texts}/supports", json={"label": f"{LABEL}/", "text": f"words {ODD}"}),
        client.post(f"{shapes}:classify", files={"file": (FILE, f"{ODD} no picture".encode())}),
        client.post(f"{shapes}:classify", json={"text": ODD}),
        client.post(f"{shapes}:classify", json={"data": f"data:image/png;base64,{ODD}="}),
        client.get(f"{texts}/supports", params={"cursor": ODD.encode().hex()}),
        client.get("/v1/collections", headers={"Authorization": f"Bearer {ODD}{ODD}"}),
    ]


def test_no_log_metric_or_refusal_holds_what_was_sent(
    client: TestClient,
    heard: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    said = send_everything(client, monkeypatch)
    label = {"label": LABEL, "text": "something else entirely", "metadata": {"m": META}}
    client.post("/v1/collections/texts/supports", json=label)
    client.get("/v1/collections/texts/supports", params={"label": LABEL})
    client.delete(f"/v1/collections/texts/labels/{LABEL}")
    written = [heard.text, *(str(record.__dict__) for record in heard.records), *capfd.readouterr()]
    assert "500" in heard.text
    assert [marker for marker in ALL for one in written if marker in one] == []
    found = [(m, one.request.url, one.text[:300]) for one in said for m in ALL if m in one.text]
    assert found == []
    secret = client.headers["Authorization"].split()[1]
    assert not any(secret in one for one in written)


def test_a_workspace_that_keeps_embeddings_only_holds_nothing_of_the_samples(
    client: TestClient, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_everything(client, monkeypatch)
    client.__exit__(None, None, None)
    files = [path for path in home.rglob("*") if path.is_file()]
    assert files
    kept = {path.name: path.read_bytes() for path in files}
    assert [(m, n) for m in CONTENT for n, raw in kept.items() if m.encode() in raw] == []
    client.__enter__()


def test_no_exception_of_the_library_shows_a_sample(settings: Settings) -> None:
    with imprint.open(settings=settings) as workspace:
        texts = workspace.collection("texts", "text")
        shapes = workspace.collection("shapes", "image")
        attempts = [
            lambda: texts.teach("a", f"{ODD}\x00"),
            lambda: texts.teach("a", f"{ODD} ".encode() + b"\xff\xfe"),
            lambda: texts.teach("a", ODD * 100_000),
            lambda: shapes.teach("a", f"{ODD} no picture".encode()),
            lambda: shapes.teach("a", picture(1)[:200]),
            lambda: texts.classify(f"{ODD}\x00"),
            lambda: workspace.collection("texts", "text").verify("none", ODD),
        ]
        for attempt in attempts:
            with pytest.raises(ImprintError) as caught:
                attempt()
            shown = [str(caught.value), repr(caught.value), str(vars(caught.value))]
            shown += traceback.format_exception(caught.value)
            # The traceback shows source lines of this very file, which name the constant, not it.
            assert not [m for m in ALL for one in shown if m in one]
        for shy in (texts, shapes, workspace):
            assert ODD not in repr(shy)
