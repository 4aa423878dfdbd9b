"""What sets of pictures are compared by: networks from pictures to feature vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from dsg.errors import UserError
from dsg.metrics.frechet import Statistics
from dsg.models.precision import full_float32


class FeatureNetwork(nn.Module, ABC):
    """A frozen network, prepared pictures (B, ...) → features (B, d).

    Subclasses set `name`, with which the metrics' keys end, and `dimension`, d.
    """

    name: str
    dimension: int
    frechet = "fd"  # what the keys of the Fréchet and the kernel distance begin with
    kernel = "kd"

    @staticmethod
    @abstractmethod
    def prepare(picture: np.ndarray) -> Tensor:
        """A picture, (H,W,3) uint8, as the network takes it. Static, so that reading processes need no network.

        Raises:
            UserError: for a picture that does not fit.
        """

    @abstractmethod
    def forward(self, prepared: Tensor) -> Tensor: ...

    def statistics(self) -> Statistics | None:
        """The reference that the network brings along; None if it has none."""
        return None


def extract(
    network: FeatureNetwork, files: Sequence[Path], device: torch.device, batch_size: int = 32, num_workers: int = 0
) -> Iterator[Tensor]:
    """Features of picture files, in their order: (B, d) float32 on the CPU, a batch at a time.

    Raises:
        UserError: for a file that cannot be read or does not fit.
    """
    network = network.to(device).eval()
    loader = DataLoader(
        _Pictures(files, type(network).prepare), batch_size, num_workers=num_workers, collate_fn=list
    )  # fmt: skip
    for batch in loader:
        if mistake := next((item for item in batch if isinstance(item, UserError)), None):
            raise mistake
        with torch.no_grad(), torch.autocast(device.type, enabled=False), full_float32():
            yield network(torch.stack(batch).to(device)).float().cpu()


def read_rgb(file: Path) -> np.ndarray:
    """(H,W,3) uint8, as clean-fid reads it: no orientation applied, nothing cropped.

    Raises:
        UserError: if it is no picture.
    """
    try:
        with Image.open(file) as picture:
            return np.array(picture.convert("RGB"))
    except Exception as error:  # decoders raise many kinds; whichever it is, this picture cannot be read
        raise UserError(f"cannot read {file}: {' '.join(str(error).split())}") from error


class _Pictures(Dataset):
    """Prepared pictures; in the place of one that cannot be used, the error, which a worker could not raise whole."""

    def __init__(self, files: Sequence[Path], prepare: Callable[[np.ndarray], Tensor]) -> None:
        self.files, self.prepare = files, prepare

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor | UserError:
        try:
            return self.prepare(read_rgb(self.files[index]))
        except UserError as error:
            return UserError(f"{error} ({self.files[index]})" if str(self.files[index]) not in str(error) else error)
