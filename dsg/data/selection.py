"""Which of all images are evaluated."""

from __future__ import annotations

from collections.abc import Sequence

from dsg.errors import UserError


def select(ids: Sequence[str], first: int = 0, limit: int | None = None, spread: bool = False) -> list[str]:
    """At most `limit` of `ids`, in their order.

    In a row they are ids[first : first + limit]. Spread, the N ids are cut into L = min(limit, N) pieces of nearly the
    same size, piece i from ⌊i N/L⌋ on, and of each the one at place `first` is taken: of class folders with 50 images
    each, and one piece a class, the first image of every class. Two selections share no image if the one limit divides
    the other and their `first` are two numbers below ⌊N/L⌋ of the larger limit.

    Args:
        ids: all of them.
        first: where to begin, at least 0.
        limit: how many, at least 1; None is all.
        spread: evenly over all of them.

    Raises:
        UserError: where no image is at `first`.
    """
    if not spread or limit is None:
        if first >= len(ids):
            raise UserError(f"data.first: there are {len(ids)} images, and {first} is behind the last; give less")
        return list(ids[first:] if limit is None else ids[first : first + limit])
    count = min(limit, len(ids))
    if first >= len(ids) // max(count, 1):
        raise UserError(
            f"data.first: {len(ids)} images spread over {count} are pieces of {len(ids) // max(count, 1)}, and {first} "
            "is not in each; give less, or a smaller data.limit"
        )
    return [ids[i * len(ids) // count + first] for i in range(count)]
