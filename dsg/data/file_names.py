"""Whether every image's results can have files of their own."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence

from dsg.errors import UserError

LONGEST = 255  # bytes of a file's name, on every usual file system
BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # controls, and what ends lines and paragraphs
NUMBERS = ".safetensors"  # the longest ending that results have


def check_file_names(keys: Sequence[tuple[str, int]], files: Callable[[str, int], Iterable[str]]) -> None:
    """Raise UserError if some results cannot be files beside the others'.

    Args:
        keys: (image id, sample number) of everything that is evaluated.
        files: the files of a finished sample, as paths below the run folder.
    """
    owner: dict[str, str] = {}
    for image_id, sample in keys:
        if odd := BREAKS.search(image_id):
            raise UserError(f"data: the image {image_id!r} has {odd[0]!r} in its name, which breaks lines; rename it")
        names = [*files(image_id, sample), f"measurements/{image_id}{NUMBERS}"]
        _check_length(image_id, names)
        owner |= dict.fromkeys(names, image_id)
    above: set[str] = set()
    for name, image_id in owner.items():
        while (name := name.rpartition("/")[0]) and name not in above:
            above.add(name)
            if name in owner:
                raise UserError(
                    f"data: the results of the image {image_id} would be in a folder {name}, which is the file of the "
                    f"image {owner[name]}; rename the folder, or the image"
                )


def _check_length(image_id: str, names: Iterable[str]) -> None:
    for part in (part for name in names if 4 * len(name) > LONGEST for part in name.split("/")):
        if (length := len(os.fsencode(part))) > LONGEST:
            raise UserError(
                f"data: the results of the image {image_id} would be in {part}, a name of {length} bytes, and "
                f"{LONGEST} are possible; give it a shorter name"
            )
