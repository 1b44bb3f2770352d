"""Time the command line from a cold process: --help, --version, and one classified text.

    python benchmarks/cli_cold.py --repeats 15

Every run is a fresh interpreter; the first run of each command is thrown away so that file caches
are warm. Prints medians and spread in milliseconds, and as a yardstick the start of Python alone
and of Python with numpy.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time

IMPRINT = [sys.executable, "-m", "imprint"]
TICKETS = {
    "late": "where is my parcel, it should be here by now",
    "refund": "please give me my money back",
    "login": "I cannot sign in to my account",
}


def milliseconds(command: list[str], repeats: int) -> tuple[list[float], list[float]]:
    """Wall time and processor time of each run, the first one thrown away."""
    wall_ms, processor_ms = [], []
    for _ in range(repeats + 1):
        started, before = time.perf_counter(), children_s()
        subprocess.run(command, check=True, capture_output=True)
        wall_ms.append(1000 * (time.perf_counter() - started))
        processor_ms.append(1000 * (children_s() - before))
    return wall_ms[1:], processor_ms[1:]


def children_s() -> float:
    """Processor seconds of all finished child processes: what a busy machine distorts least."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def taught(home: str, encoder: str, n_supports: int) -> None:
    """Fill a workspace through the library."""
    import imprint

    with imprint.open(home) as workspace:
        collection = workspace.collection("tickets", modality="text", encoder=encoder)
        for label, text in TICKETS.items():
            collection.teach(label, text)
        more = ((f"class {i % 50}", f"filler text number {i}") for i in range(n_supports))
        list(collection.teach_many(more))


def spread(times_ms: list[float]) -> dict[str, float]:
    """Median and range, rounded."""
    return {
        "median": round(statistics.median(times_ms), 1),
        "min": round(min(times_ms), 1),
        "max": round(max(times_ms), 1),
    }


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15, help="runs that count")
    parser.add_argument("--encoder", default="minilm-l6", help="text encoder to classify with")
    parser.add_argument("--supports", type=int, default=0, help="supports beside the three taught")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        taught(home, chosen.encoder, chosen.supports)
        commands = {
            "python": [sys.executable, "-c", "pass"],
            "python with numpy": [sys.executable, "-c", "import numpy"],
            "imprint --help": [*IMPRINT, "--help"],
            "imprint teach --help": [*IMPRINT, "teach", "--help"],
            "imprint classify": [*IMPRINT, "--home", home, "classify", "tickets", "my parcel?"],
        }
        figures = {name: milliseconds(one, chosen.repeats) for name, one in commands.items()}
    document = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "encoder": chosen.encoder,
        "n_supports": chosen.supports + len(TICKETS),
        "repeats": chosen.repeats,
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "wall_ms": {name: spread(wall) for name, (wall, _) in figures.items()},
        "processor_ms": {name: spread(used) for name, (_, used) in figures.items()},
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
