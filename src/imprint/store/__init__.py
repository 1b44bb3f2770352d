"""What survives a restart. The only owner of sqlalchemy and cryptography.

`open_store` is the way in; nothing heavy is imported before it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from imprint.store.ports import Store
    from imprint.store.sealing.masters.wrapper import KeyWrapper

DEFAULT_ANSWER_CAP = 100_000


def open_store(
    path: Path | str | None,
    *,
    read_only: bool = False,
    busy_timeout_s: float = 10.0,
    answer_cap: int = DEFAULT_ANSWER_CAP,
    master_keys: Sequence[KeyWrapper] = (),
) -> Store:
    """Open a workspace folder, making it when there is none; None keeps everything in memory.

    A folder or file that cannot be written is opened for reading only. `busy_timeout_s` is how
    long a write waits for another writer, `answer_cap` how many answers the prediction log keeps.
    With `master_keys` what is taught from now on is encrypted: the first wraps new data keys, every
    one unwraps those it wrapped.

    Raises:
        InvalidOptionError: the path names a database server or a file.
        NotFoundError: nothing is there to be read.
        ReadOnlyError: the workspace cannot be made, or needs an upgrade, and cannot be written.
        NewerWorkspaceError: a newer Imprint wrote it.
        WorkspaceCorruptError: it is damaged or no workspace.
        MasterKeyMissingError, MasterKeyWrongError, KeyServiceError: its keys cannot be unwrapped.
        StorageFullError, WorkspaceLockedError: see there.
    """
    from imprint.store.opening import opened

    return opened(
        path,
        read_only=read_only,
        timeout_s=busy_timeout_s,
        answer_cap=answer_cap,
        master_keys=master_keys,
    )
