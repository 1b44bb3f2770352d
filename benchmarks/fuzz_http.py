"""Fuzz the whole HTTP interface of a live server with schemathesis, all checks, many requests.

    python benchmarks/fuzz_http.py --requests 20000 --minutes 40
    python benchmarks/fuzz_http.py --requests 500 --minutes 2     # a quick look

The server is a process of its own on a free port of loopback with encoders without weights. Runs
with one seed after another until the server has counted enough requests. The caller is a token of
an identity provider made up here, because a key could be revoked by the fuzzer itself. Prints one
JSON document: requests by status, cases, failures, server errors in the log, memory.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from machine import machine, versions

ROOT = Path(__file__).parents[1]
_SERVE = (
    "import sys; from imprint.serve.run import serve; "
    "serve(sys.argv[1], '127.0.0.1', int(sys.argv[2]))"
)
ISSUER = "https://fuzz.example.org/"
SCOPES = "teach classify read_raw review admin"
_COUNTED = re.compile(r'^imprint_http_requests_total\{.*status="(\d+)"\} (\d+)', re.MULTILINE)


def credentials(folder: Path) -> tuple[Path, str]:
    """An access file that trusts a key made here, and a token signed with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "fuzz"}
    (folder / "keys.json").write_text(json.dumps({"keys": [public]}))
    access = folder / "access.toml"
    access.write_text(
        f'[oidc]\nissuer = "{ISSUER}"\naudience = "imprint"\nkeys = "keys.json"\ntenant = "fuzz"\n'
    )
    claims = {"iss": ISSUER, "aud": "imprint", "sub": "fuzz", "scope": SCOPES}
    ends = int(time.time()) + 86_400
    token = jwt.encode({**claims, "exp": ends}, key, "ES256", {"kid": "fuzz"})
    return access, token


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def start(folder: Path, access: Path, port: int) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "IMPRINT_TEXT_ENCODER": "toy-text",
        "IMPRINT_IMAGE_ENCODER": "toy-image",
        "IMPRINT_ACCESS": str(access),
        "OMP_NUM_THREADS": "1",
    }
    log = (folder / "server.log").open("wb")
    command = [sys.executable, "-c", _SERVE, str(folder / "home"), str(port)]
    server = subprocess.Popen(command, stderr=log, env=environment)
    for _ in range(600):
        if server.poll() is not None:
            break
        try:
            page(port, "/livez")
        except OSError:
            time.sleep(0.1)
        else:
            return server
    raise SystemExit("the server did not start: " + (folder / "server.log").read_text()[-2000:])


def page(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        return str(answer.read().decode())


def counted(port: int) -> dict[str, int]:
    """Requests the server has answered, by status."""
    found: dict[str, int] = {}
    for status, n in _COUNTED.findall(page(port, "/metrics")):
        found[status] = found.get(status, 0) + int(n)
    return found


def run_once(port: int, token: str, seed: int, seconds: int, folder: Path) -> tuple[int, str]:
    command = [
        *(sys.executable, "-m", "schemathesis.cli"),
        *("--config-file", str(ROOT / "tests/serve/schemathesis.toml"), "run"),
        f"http://127.0.0.1:{port}/openapi.json",
        *("-H", f"Authorization: Bearer {token}", "--checks", "all"),
        *("--max-time", str(seconds), "--seed", str(seed), "--continue-on-failure"),
        *("--workers", "2", "--no-color"),
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": str(ROOT / "tests/serve/fuzz_hooks.py")}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, cwd=folder, check=False
    )
    return done.returncode, done.stdout + done.stderr


def requests_of(port: int, chosen: argparse.Namespace, token: str, folder: Path) -> list[dict]:
    """Run after run with one seed after another until there were enough requests, or no time."""
    deadline = time.monotonic() + 60 * chosen.minutes
    runs: list[dict[str, Any]] = []
    while sum(counted(port).values()) < chosen.requests and time.monotonic() < deadline:
        seed = chosen.seed + len(runs)
        left_s = max(30, int(min(chosen.seconds_per_run, deadline - time.monotonic())))
        make_collection(port, token)
        began = time.monotonic()
        code, text = run_once(port, token, seed, left_s, folder)
        seconds = round(time.monotonic() - began)
        runs.append({"seed": seed, "exit": code, "seconds": seconds})
        runs[-1]["requests_so_far"] = sum(counted(port).values())
        print(json.dumps(runs[-1]), file=sys.stderr, flush=True)
        if code and chosen.report:
            with chosen.report.open("a") as report:
                report.write(f"==== seed {seed}\n{text}\n")
    return runs


def make_collection(port: int, token: str) -> None:
    """The collection that half of the well-formed cases are sent to (see fuzz_hooks.py)."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    address = f"http://127.0.0.1:{port}/v1/collections"
    body = json.dumps({"name": "fuzz", "modality": "text"}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, headers)) as answer:
            assert answer.status == 201
    except urllib.error.HTTPError as refused:
        if refused.code != 409:  # an earlier run left it, or dropped it
            raise


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; then one more each")
    parser.add_argument("--seconds-per-run", type=int, default=240)
    parser.add_argument("--report", type=Path, help="where the output of failing runs goes")
    return parser.parse_args()


def main() -> None:
    chosen = arguments()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        access, token = credentials(folder)
        port = free_port()
        server = start(folder, access, port)
        try:
            runs = requests_of(port, chosen, token, folder)
            statuses, metrics = counted(port), page(port, "/metrics")
        finally:
            server.terminate()
            stopped = server.wait(60)
        log = (folder / "server.log").read_text(errors="replace").splitlines()
    memory = re.search(r"^imprint_resident_bytes (\S+)", metrics, re.MULTILINE)
    document = {
        "machine": machine(),
        "versions": versions("schemathesis", "hypothesis", "uvicorn", "starlette"),
        "n_requests": sum(statuses.values()),
        "by_status": dict(sorted(statuses.items())),
        "runs": runs,
        "failing_runs": sum(1 for run in runs if run["exit"]),
        "error_lines": [line for line in log if " ERROR " in line][:20],
        "resident_mb": round(float(memory[1]) / 1e6) if memory else None,
        "server_exit": stopped,
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
