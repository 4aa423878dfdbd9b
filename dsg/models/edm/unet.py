"""What the three networks of this family are: blocks down, blocks up, and what is kept in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from dsg.models.edm.plan import Place, decoder, encoder

_SIDE = "_aux_residual"


class UNet(nn.Module):
    """A stem, an encoder and a decoder that is fed what the encoder kept. Subclasses build it, and run it.

    With a side path (NCSN++) the input is carried down beside the blocks: after each that halves the size,
    (x + conv(side))/√2 takes the place of x, of the side path and of what was kept.
    """

    enc: nn.ModuleDict
    dec: nn.ModuleDict

    def build(
        self,
        resolution: int,
        stem: nn.Module,
        first: int,
        widths: Sequence[int],
        num_blocks: int,
        block: Callable[[Place, bool], nn.Module],
        side: Callable[[int, int], nn.Module] | None = None,
        in_channels: int = 0,
    ) -> None:
        """Make `enc` and `dec`.

        Args:
            resolution: of the images.
            stem: the first convolution.
            first: channels that it gives.
            widths: of each level, finest first.
            num_blocks: plain blocks a level.
            block: makes that of a place, of the encoder where the flag is true.
            side: makes the convolution of the side path, of so many channels in and out; None is none.
            in_channels: of the side path at its beginning.
        """
        self.enc, self.dec, kept = nn.ModuleDict({f"{resolution}x{resolution}_conv": stem}), nn.ModuleDict(), [first]
        carried = in_channels
        for place in encoder(resolution, first, widths, num_blocks):
            self.enc[place.name] = block(place, True)
            kept.append(place.outputs)
            if side is not None and place.resample == "down":
                self.enc[f"{place.resolution}x{place.resolution}{_SIDE}"] = side(carried, place.outputs)
                carried = place.outputs
        places = decoder(resolution, kept, widths, num_blocks)
        self.dec.update({place.name: block(place, False) for place in places})
        self._fed = {place.name: place.takes_skip for place in places}

    def run(self, x: Tensor, embedding: Tensor) -> Tensor:
        """(B, C, n, n) and (B, E) → (B, widths[0], n, n)."""
        side, kept = x, []
        for i, (name, block) in enumerate(self.enc.items()):
            if name.endswith(_SIDE):
                side = x = kept[-1] = (x + block(side)) * 0.5**0.5
            else:
                x = block(x, embedding) if i else block(x)
                kept.append(x)
        for name, is_fed in self._fed.items():
            x = self.dec[name](self.joined(x, kept.pop()) if is_fed else x, embedding)
        return x

    def joined(self, x: Tensor, kept: Tensor) -> Tensor:
        """The main path and what the encoder kept, along the channels."""
        return torch.cat([x, kept], dim=1)
