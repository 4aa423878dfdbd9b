"""Files that are whole or absent."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from dsg.errors import UserError


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside `path`, then rename: a reader sees the whole file or none.

    Raises:
        UserError: if the folder cannot be written or the disk is full; nothing half-written stays.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")  # short, and no other rank's or machine's
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):  # it is there only if this was interrupted
            temporary.unlink()


def is_temporary(path: Path) -> bool:
    """Whether `path` is what `write_atomically` writes before it renames."""
    return path.name.startswith(".") and path.suffix == ".tmp"


def cannot_write(path: Path, error: OSError) -> UserError:
    """The one message for every failed write."""
    return UserError(
        f"cannot write {path}: {error.strerror}; finished images are kept, mend that or take another run_dir "
        "(--out_dir, --out), and run again"
    )
