"""Files of JSON lines that outlive whatever ends the process that appends to them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dsg.run_folder.atomic import cannot_write


def append_lines(file: Path, objects: Sequence[Mapping[str, Any]]) -> None:
    """Append a line an object, in one write, and wait until it is on the disk.

    Raises:
        UserError: if the file cannot be written or the disk is full.
    """
    text = "".join(json.dumps(dict(found)) + "\n" for found in objects)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # after a newline of its own if a killed run left half a line
        with file.open("ab") as handle:
            torn = handle.tell() > 0 and not _ends_with_newline(file)
            handle.write(b"\n" * torn + text.encode())
            handle.flush()
            os.fsync(handle.fileno())
    except OSError as error:
        raise cannot_write(file, error) from error


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The object of every line that holds one, in their order; any other line is as if it were not there.

    Half a line of a killed process, the zeros that a power cut leaves, a text that somebody appended: whatever it is,
    the lines around it are whole.
    """
    for line in file.read_bytes().split(b"\n"):
        try:
            found = json.loads(line.decode())
        except (ValueError, RecursionError):  # no JSON, no UTF-8, a number of too many digits; nested too deep
            continue
        if isinstance(found, dict):
            yield found


def _ends_with_newline(file: Path) -> bool:
    with file.open("rb") as handle:
        handle.seek(-1, os.SEEK_END)
        return handle.read(1) == b"\n"
