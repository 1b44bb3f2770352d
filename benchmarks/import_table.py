"""Time the import of a table: fresh, killed and resumed, and once more when all is there.

    python benchmarks/import_table.py TABLE.csv --repeats 3

Every import is a real `imprint import` process on a fresh workspace. As a yardstick the same rows
are embedded by the encoder alone, in batches of the same size.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import imprint
from imprint.encoders.catalogue import load_encoder
from imprint.flows.tables import TableRow, open_table
from imprint.intake.decode import to_sample
from imprint.settings import read_settings


def imported(home: Path, table: Path, encoder: str) -> dict[str, float]:
    """Run one import to its end; its own summary and the wall time of the process."""
    started = time.perf_counter()
    done = subprocess.run(command(home, table, encoder), check=True, capture_output=True)
    return {**json.loads(done.stdout), "wall_s": time.perf_counter() - started}


def command(home: Path, table: Path, encoder: str) -> list[str]:
    """The line a person would type."""
    words = [sys.executable, "-m", "imprint", "--home", str(home), "import", "intents", str(table)]
    return [*words, "--encoder", encoder, "--json"]


def killed(home: Path, table: Path, encoder: str, share: float, n_rows: int) -> int:
    """Start an import, kill it with SIGKILL once a share of the rows is in; rows that stayed."""
    process = subprocess.Popen(command(home, table, encoder), stdout=subprocess.DEVNULL)
    while process.poll() is None and n_taught(home) < share * n_rows:
        time.sleep(0.2)
    process.kill()
    process.wait()
    return n_taught(home)


def n_taught(home: Path) -> int:
    """Supports in the workspace, read by another process while the import runs."""
    if not home.exists():
        return 0
    with imprint.open(home) as workspace:
        names = workspace.collections()
        return workspace.collection("intents").sequence if names else 0


def embedding_s(table: Path, encoder: str, batch: int) -> float:
    """Seconds to embed every row with nothing else done."""
    settings = read_settings()
    loaded = load_encoder(encoder, cache_dir=settings.cache, mirror=settings.model_mirror)
    rows = [row for row in open_table(table).rows() if isinstance(row, TableRow)]
    samples = [to_sample(row.source, "text") for row in rows]
    started = time.perf_counter()
    for start in range(0, len(samples), batch):
        loaded.encode(samples[start : start + batch])
    return time.perf_counter() - started


def spread(values: list[float]) -> dict[str, float]:
    """Median and range, rounded."""
    return {
        "median": round(statistics.median(values), 2),
        "min": round(min(values), 2),
        "max": round(max(values), 2),
    }


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path, help="CSV with text and label")
    parser.add_argument("--repeats", type=int, default=3, help="fresh imports")
    parser.add_argument("--encoder", default="minilm-l6", help="text encoder")
    chosen = parser.parse_args()
    fresh, again, alone = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for i in range(chosen.repeats):
            home = Path(folder) / f"fresh-{i}"
            alone.append(embedding_s(chosen.table, chosen.encoder, 256))
            first = imported(home, chosen.table, chosen.encoder)
            fresh.append(first["wall_s"])
            again.append(imported(home, chosen.table, chosen.encoder)["wall_s"])
        home = Path(folder) / "killed"
        kept = killed(home, chosen.table, chosen.encoder, 0.4, int(first["n_rows"]))
        resumed = imported(home, chosen.table, chosen.encoder)
        total = n_taught(home)
    document = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "encoder": chosen.encoder,
        "rows": first["n_rows"],
        "taught": first["taught"],
        "present": first["present"],
        "fresh_s": spread(fresh),
        "embedding_alone_s": spread(alone),
        "again_s": spread(again),
        "killed": {
            "kept": kept,
            "present_on_resume": resumed["present"],
            "taught_on_resume": resumed["taught"],
            "resume_s": round(resumed["wall_s"], 2),
            "supports_after": total,
        },
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
