"""What keeps one caller from taking the server: sizes, times, fair lanes, rates."""

from __future__ import annotations

from dataclasses import dataclass

from imprint.serve.limits.bodies import BodyReader
from imprint.serve.limits.lanes import Lane

__all__ = ["BodyReader", "Lane", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes and times of one server.

    `body_bytes` bounds one request, `import_bytes` one import, `held_bytes` all bodies held in
    memory at once. A body must arrive within `body_s`, an import within `import_s`; work must end
    within `work_s` (an import's within `import_s`). `n_answering` and `n_teaching` threads work,
    and `n_waiting` requests of each tenant may wait before each kind, 16 times as many of all; the
    next one is told to come back. One classify call may hold `n_inputs` inputs, one import
    `n_items` items. The line and the headers of a request must arrive within `head_s`,
    and at most `n_connections` connections are open at once.
    """

    body_bytes: int = 25 * 1024 * 1024
    import_bytes: int = 512 * 1024 * 1024
    held_bytes: int = 256 * 1024 * 1024
    head_s: float = 10.0
    n_connections: int = 800
    body_s: float = 30.0
    work_s: float = 30.0
    import_s: float = 3600.0
    n_answering: int = 4
    n_teaching: int = 4
    n_waiting: int = 64
    n_inputs: int = 1024
    n_items: int = 100_000
