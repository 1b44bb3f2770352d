"""Lets schemathesis write bodies of imports, and send half of its cases where something is.

    SCHEMATHESIS_HOOKS=tests/serve/fuzz_hooks.py schemathesis --config-file \
        tests/serve/schemathesis.toml run http://127.0.0.1:8080/openapi.json ...
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_: Any, value: Any) -> bytes:
    """Any text, as it is: most lines are refused one by one."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@schemathesis.serializer("application/zip")
def archive(_: Any, value: Any) -> bytes:
    """Half of the bodies become the one file of a real archive; the others are sent as they are."""
    content = value if isinstance(value, bytes) else json.dumps(value, default=str).encode()
    if len(content) % 2:
        return content
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("folder/file.txt", content)
    return file.getvalue()


@schemathesis.hook
def map_case(_: Any, case: schemathesis.Case) -> schemathesis.Case:
    """Half of the well-formed cases go to the collection "fuzz", if the runner has made it."""
    meta = getattr(case, "meta", None)
    # Stateful cases follow what was made before them, and must go where it is.
    wanted = bool(meta) and meta.generation.mode.is_positive and meta.phase.name.value != "stateful"
    wanted = wanted and case.method != "DELETE"
    name = (case.path_parameters or {}).get("collection")
    if wanted and isinstance(name, str) and len(name) % 2:
        case.path_parameters["collection"] = "fuzz"
    return case
