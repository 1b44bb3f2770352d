"""Public encoders: tiny files of the same format behind a hub's protocol, under the same names."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import numpy as np
import pytest

from encoders.tiny import HIDDEN, N_HEADS, N_LAYERS, sample, samples_of, write_bert
from imprint.encoders.bert import BertEncoder
from imprint.encoders.catalogue import list_encoders, load_encoder, load_version, pull
from imprint.encoders.catalogue.public import (
    PUBLIC,
    ImageNetwork,
    Public,
    TextNetwork,
    open_public,
)
from imprint.encoders.onnx_file import MODEL
from imprint.encoders.weights.bert_folder import BertShape, read_shape
from imprint.encoders.weights.cache import ModelCache
from imprint.encoders.weights.files import silent
from imprint.encoders.weights.sources import hub_source, mirror_source
from imprint.errors import EncoderMismatchError, EncoderNotFoundError, ModelHashError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXTS = [one for one in PUBLIC if isinstance(one.network, TextNetwork)]
IMAGES = [one for one in PUBLIC if isinstance(one.network, ImageNetwork)]


def named(one: Public) -> str:
    return one.name


def tiny_text(one: Public, folder: Path) -> tuple[Public, dict[str, bytes]]:
    """The same entry with the pins and the shape of a tiny network."""
    assert isinstance(one.network, TextNetwork)
    write_bert(folder, pooling=one.network.shape.pooling)
    shape = BertShape(
        HIDDEN, N_HEADS, N_LAYERS, 1e-12, "gelu", 0, 9, pooling=one.network.shape.pooling
    )
    network = TextNetwork(shape, one.network.prefix)
    return pinned_to(
        one, network, {name: (folder / name).read_bytes() for name in one.pinned.files}
    )


def tiny_image(one: Public, folder: Path) -> tuple[Public, dict[str, bytes]]:
    """An ONNX file with the entry's own input, output and preprocessing, but few numbers."""
    from onnx import TensorProto, helper, numpy_helper

    network = one.network
    assert isinstance(network, ImageNetwork)
    weight = np.random.default_rng(1).normal(size=(3, network.dim)).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMean", [network.input], ["m"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["m", "w"], ["v"]),
    ]
    tensors = [numpy_helper.from_array(weight, "w")]
    if network.preprocessing.get("pooling") == "first":
        # (1, 3 tokens, dim): the first token is the vector, the others are not.
        nodes += [
            helper.make_node("Unsqueeze", ["v", "one"], ["first"]),
            helper.make_node("Neg", ["first"], ["other"]),
            helper.make_node("Concat", ["first", "other", "other"], [network.output], axis=1),
        ]
        tensors.append(numpy_helper.from_array(np.array([1], np.int64), "one"))
    else:
        nodes.append(helper.make_node("Identity", ["v"], [network.output]))
    batch = [1, 3, 224, 224]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(network.input, TensorProto.FLOAT, batch)],
        [helper.make_tensor_value_info(network.output, TensorProto.FLOAT, None)],
        tensors,
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    folder.mkdir(parents=True, exist_ok=True)
    return pinned_to(one, network, {MODEL: model.SerializeToString()})


def pinned_to(
    one: Public, network: TextNetwork | ImageNetwork, contents: dict[str, bytes]
) -> tuple[Public, dict[str, bytes]]:
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    pinned = dataclasses.replace(one.pinned, files=hashes)
    served = {f"{pinned.hub_path(name)}": content for name, content in contents.items()}
    return dataclasses.replace(one, pinned=pinned, network=network), served


@contextmanager
def hub(one: Public, served: dict[str, bytes]) -> Iterator[str]:
    """A hub on loopback that keeps one repository at one revision and nothing else."""
    place = f"/{one.pinned.hub_repository}/resolve/{one.pinned.revision}/"

    class Answer(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, *, with_body: bool) -> None:
            inside, _, path = self.path.partition(place)
            content = served.get(path) if not inside else None
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", str(one.pinned.revision))
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


@pytest.mark.parametrize("one", IMAGES, ids=named)
def test_an_image_encoder_is_fetched_at_its_revision_and_runs(one: Public, tmp_path: Path) -> None:
    small, served = tiny_image(one, tmp_path)
    cache = ModelCache(tmp_path / "cache")
    with hub(small, served) as endpoint:
        encoder = open_public(small, cache, (hub_source(endpoint),), silent)
    samples = samples_of("image")
    vectors = encoder.encode(samples)
    assert encoder.version == small.version
    assert vectors.shape == (3, encoder.dim)
    again = open_public(small, cache, (), silent)  # now without any network
    assert np.array_equal(again.encode(samples), vectors)


@pytest.mark.parametrize("one", TEXTS, ids=named)
def test_a_text_encoder_is_fetched_and_reads_its_prefix(one: Public, tmp_path: Path) -> None:
    small, served = tiny_text(one, tmp_path / "files")
    assert isinstance(small.network, TextNetwork)
    with hub(small, served) as endpoint:
        encoder = open_public(small, ModelCache(tmp_path / "c"), (hub_source(endpoint),), silent)
    assert isinstance(encoder, BertEncoder)
    plain = dataclasses.replace(small, network=TextNetwork(small.network.shape))
    bare = open_public(plain, ModelCache(tmp_path / "c"), (), silent)
    texts = samples_of("text")
    prefixed = [sample(small.network.prefix + str(text.value)) for text in texts]
    assert np.array_equal(encoder.encode(texts), bare.encode(prefixed))
    assert (plain.version == small.version) == (not small.network.prefix)


def test_the_shape_of_a_text_entry_is_what_its_folder_would_say(tmp_path: Path) -> None:
    small, _ = tiny_text(TEXTS[0], tmp_path / "files")
    assert isinstance(small.network, TextNetwork)
    assert read_shape(tmp_path / "files") == small.network.shape


@pytest.mark.parametrize("one", PUBLIC, ids=named)
def test_other_bytes_under_the_right_name_are_refused(one: Public, tmp_path: Path) -> None:
    served = {one.pinned.hub_path(name): b"another model" for name in one.pinned.files}
    with (
        hub(one, served) as endpoint,
        pytest.raises(ModelHashError, match=rf"{one.name} .*wrong hash"),
    ):
        open_public(one, ModelCache(tmp_path), (hub_source(endpoint),), silent)
    assert not ModelCache(tmp_path).has(one.version)


def test_another_revision_is_not_taken(tmp_path: Path) -> None:
    small, served = tiny_image(IMAGES[0], tmp_path)
    other = dataclasses.replace(small, pinned=dataclasses.replace(small.pinned, revision="f" * 40))
    with (
        hub(other, served) as endpoint,
        pytest.raises(EncoderNotFoundError, match="model hub: no answer"),
    ):
        open_public(small, ModelCache(tmp_path / "c"), (hub_source(endpoint),), silent)


def test_without_a_network_it_says_which_files_of_what_to_bring(tmp_path: Path) -> None:
    sources = (mirror_source(tmp_path / "none"), hub_source("http://127.0.0.1:9"))
    with pytest.raises(EncoderNotFoundError) as told:
        open_public(IMAGES[0], ModelCache(tmp_path), sources, silent)
    message = str(told.value)
    assert "model.onnx (of onnx-community/dinov2-small at 8b1f705a" in message
    assert "IMPRINT_MODEL_MIRROR" in message
    assert "wheel" not in message


def test_a_mirror_with_several_models_gives_each_its_own_file(tmp_path: Path) -> None:
    first, mine = tiny_image(IMAGES[0], tmp_path)
    second, other = tiny_image(IMAGES[1], tmp_path)
    for one, served in ((first, mine), (second, other)):
        place = tmp_path / "mirror" / one.name
        place.mkdir(parents=True)
        (place / MODEL).write_bytes(next(iter(served.values())))
    (tmp_path / "mirror" / MODEL).write_bytes(b"of another model")
    for one in (first, second):
        cache = ModelCache(tmp_path / "cache")
        encoder = open_public(one, cache, (mirror_source(tmp_path / "mirror"),), silent)
        assert encoder.version == one.version


def test_they_are_listed_with_licence_and_size_and_are_not_ready(tmp_path: Path) -> None:
    listed = {one.name: one for one in list_encoders(cache_dir=tmp_path)}
    for one in PUBLIC:
        shown = listed[one.name]
        assert (shown.version, shown.license, shown.ready) == (one.version, one.license, False)
        assert "MB to fetch" in shown.about


def test_a_version_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderMismatchError, match="dinov2-small@0000"):
        load_version("dinov2-small@0000000000000000", cache_dir=tmp_path)


def test_a_name_that_is_not_in_the_catalogue_lists_those_that_are(tmp_path: Path) -> None:
    for asked in (load_encoder, pull):
        with pytest.raises(EncoderNotFoundError, match="clip-vit-b32, siglip-base"):
            asked("dinov3-huge", cache_dir=tmp_path)
