"""Whether every image's results can have files of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath
from unicodedata import category

from dsg.errors import UserError

LONGEST = 255  # bytes of a file's name, on every usual file system
BREAKS = ("Cc", "Zl", "Zp")  # controls, and what ends lines and paragraphs
NUMBERS = ".safetensors"  # the longest ending that results have


def check_file_names(keys: Sequence[tuple[str, int]], files: Callable[[str, int], Iterable[str]]) -> None:
    """Raise UserError if some results cannot be files beside the others'.

    Args:
        keys: (image id, sample number) of everything that is evaluated.
        files: the files of a finished sample, as paths below the run folder.
    """
    owner: dict[str, str] = {}
    for image_id, sample in keys:
        if odd := next((letter for letter in image_id if category(letter) in BREAKS), None):
            raise UserError(f"data: the image {image_id!r} has {odd!r} in its name, which breaks lines; rename it")
        names = [*files(image_id, sample), f"measurements/{image_id}{NUMBERS}"]
        longest = max((part for name in names for part in PurePosixPath(name).parts), key=_bytes)
        if _bytes(longest) > LONGEST:
            raise UserError(
                f"data: the results of the image {image_id} would be in {longest}, a name of {_bytes(longest)} bytes, "
                f"and {LONGEST} are possible; give it a shorter name"
            )
        owner |= dict.fromkeys(names, image_id)
    for name, image_id in owner.items():
        if clash := next((str(above) for above in PurePosixPath(name).parents if str(above) in owner), None):
            raise UserError(
                f"data: the results of the image {image_id} would be in a folder {clash}, which is the file of the "
                f"image {owner[clash]}; rename the folder, or the image"
            )


def _bytes(name: str) -> int:
    return len(os.fsencode(name))
