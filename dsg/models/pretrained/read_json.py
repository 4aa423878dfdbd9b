"""The small files beside published weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dsg.errors import UserError


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        UserError: if the file holds none.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{file}: cannot be read as JSON ({error}); download it again") from error
    if not isinstance(content, dict):
        raise UserError(f"{file}: expected a JSON object; download it again")
    return content
