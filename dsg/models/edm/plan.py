"""Which blocks a U-Net has and what goes through them: the skeleton that all networks of this family share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Place:
    """One block.

    Args:
        name: its name in the network.
        inputs: channels that come in, a skip's among them.
        outputs: channels that go out.
        resolution: height and width of what goes out, in pixels.
        resample: what it does to the size.
        index: its number among the plain blocks of a resolution; None of others.
        takes_skip: whether an encoder's output is put behind its input.
        is_innermost: whether it is the first of the decoder, which always asks for attention.
    """

    name: str
    inputs: int
    outputs: int
    resolution: int
    resample: Literal["keep", "down", "up"] = "keep"
    index: int | None = None
    takes_skip: bool = False
    is_innermost: bool = False

    def attends(self, resolutions: Sequence[int]) -> bool:
        """Whether it asks for attention: the innermost always, and plain blocks at these resolutions."""
        return self.is_innermost or (self.index is not None and self.resolution in resolutions)


def encoder(resolution: int, first: int, widths: Sequence[int], num_blocks: int) -> list[Place]:
    """The blocks on the way down, after the first convolution of `first` channels.

    A level begins with a block that halves the size, at the width of the level above.

    Args:
        resolution: of the images.
        first: channels that the first convolution gives.
        widths: of each level, finest first.
        num_blocks: plain blocks a level.
    """
    places, channels = [], first
    for level, width in enumerate(widths):
        size = resolution >> level
        if level > 0:
            places.append(Place(f"{size}x{size}_down", channels, channels, size, "down"))
        for index in range(num_blocks):
            places.append(Place(f"{size}x{size}_block{index}", channels, width, size, index=index))
            channels = width
    return places


def decoder(resolution: int, skips: Sequence[int], widths: Sequence[int], num_blocks: int) -> list[Place]:
    """The blocks on the way up: two at the lowest level, and one plain block more a level than on the way down.

    Args:
        resolution: of the images.
        skips: channels of everything that the encoder keeps, in its order.
        widths: of each level, finest first.
        num_blocks: plain blocks a level of the encoder.
    """
    places, channels, kept = [], widths[-1], list(skips)
    for level in reversed(range(len(widths))):
        size = resolution >> level
        if level == len(widths) - 1:
            places.append(Place(f"{size}x{size}_in0", channels, channels, size, is_innermost=True))
            places.append(Place(f"{size}x{size}_in1", channels, channels, size))
        else:
            places.append(Place(f"{size}x{size}_up", channels, channels, size, "up"))
        for index in range(num_blocks + 1):
            incoming, channels = channels + kept.pop(), widths[level]
            name = f"{size}x{size}_block{index}"
            places.append(Place(name, incoming, channels, size, index=index, takes_skip=True))
    return places
