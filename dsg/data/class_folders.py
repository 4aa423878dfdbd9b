"""Class labels by folders: every folder of the first level is a class."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dsg.data.images_below import folders_in
from dsg.errors import UserError

OR_A_FILE = "or give data.labels a CSV file with lines id,label"
WHOLE = re.compile(r"[0-9]+")
LONGEST = 255  # digits in a folder's name


def labels_of_folders(paths: Mapping[str, Path], root: Path, files: Iterable[str]) -> dict[str, int]:
    """Id → class, the number that `numbered` gives to the first-level folder that the image lies in.

    Args:
        paths: of every image, by id.
        root: the folder of all of them.
        files: every image file below it by its path, also those that are no example's own image.

    Raises:
        UserError: for an image that is in no folder, a folder without an image, a link to nothing, and names whose
            order does not tell their class.
    """
    flat = next((image_id for image_id in paths if "/" not in image_id), None)
    if flat is not None:
        raise UserError(f"data.labels: folders needs one folder a class, but {paths[flat]} is in none")
    filled = {name.split("/")[0] for name in files}
    if empty := [name for name in folders_in(root) if name not in filled]:
        what = "has no image" if (root / empty[0]).exists() else "is a link to nothing"
        raise UserError(
            f"data.labels: the class folder {root / empty[0]} {what}, and without it others would have other numbers; "
            f"mend it, move it away if it is no class, {OR_A_FILE}"
        )
    classes = numbered(sorted({image_id.split("/")[0] for image_id in paths}))
    return {image_id: classes[image_id.split("/")[0]] for image_id in paths}


def numbered_by_order(image_ids: Iterable[str]) -> int | None:
    """Among how many class folders the labels were numbered by order; None where the folders are numbers themselves."""
    names = {image_id.split("/")[0] for image_id in image_ids}
    return None if are_numbers(names) else len(names)


def are_numbers(names: Iterable[str]) -> bool:
    """Whether the folders' names are all whole numbers, so that each says itself which class it is."""
    return all(WHOLE.fullmatch(name) for name in names)


def numbered(names: Sequence[str]) -> dict[str, int]:
    """Folder → class. Numbers are their own class (0, 1, 2, ..., 10); other names are numbered in sorted order.

    Args:
        names: of the folders, sorted as texts.

    Raises:
        UserError: for numbers that are not 0 ... n − 1, and for names that numbers in them would sort in another order.
    """
    if are_numbers(names):
        by_value = sorted(names, key=int)
        odd = next((name for place, name in enumerate(by_value) if int(name) != place), None)
        if odd is not None:
            raise UserError(
                f"data.labels: the {len(names)} class folders are numbers and not 0 to {len(names) - 1}: {odd} is at "
                f"place {by_value.index(odd)}, and its label could be either; rename them to 0 to {len(names) - 1}, "
                f"{OR_A_FILE}"
            )
        return {name: int(name) for name in names}
    for text, natural in zip(names, sorted(names, key=_naturally), strict=True):
        if text != natural:
            raise UserError(
                f"data.labels: the class folder {text} comes before {natural} as a text and behind it by its number; "
                f"rename them to numbers of as many digits (class01, class10), {OR_A_FILE}"
            )
    return {name: place for place, name in enumerate(names)}


def _naturally(name: str) -> str:
    """What sorts names as texts but for the numbers in them, which it sorts by their value."""
    return WHOLE.sub(lambda number: number[0].zfill(LONGEST), name)
