"""What survives a restart. The only owner of sqlalchemy.

`open_store` is the way in; nothing heavy is imported before it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from imprint.store.ports import Store

DEFAULT_ANSWER_CAP = 100_000


def open_store(
    path: Path | str | None,
    *,
    read_only: bool = False,
    busy_timeout_s: float = 10.0,
    answer_cap: int = DEFAULT_ANSWER_CAP,
) -> Store:
    """Open a workspace folder, making it when there is none; None keeps everything in memory.

    A folder or file that cannot be written is opened for reading only. `busy_timeout_s` is how
    long a write waits for another writer, `answer_cap` how many answers the prediction log keeps.

    Raises:
        InvalidOptionError: the path names a database server or a file.
        NotFoundError: nothing is there to be read.
        ReadOnlyError: the workspace cannot be made, or needs an upgrade, and cannot be written.
        NewerWorkspaceError: a newer Imprint wrote it.
        WorkspaceCorruptError: it is damaged or no workspace.
        StorageFullError, WorkspaceLockedError: see there.
    """
    from imprint.store.opening import opened

    return opened(path, read_only=read_only, timeout_s=busy_timeout_s, answer_cap=answer_cap)
