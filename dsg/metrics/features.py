"""What sets of pictures are compared by: networks from pictures to feature vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from dsg.data.image_file import Size, open_picture, read_image, to_uint8
from dsg.errors import UnreadableImage, UserError
from dsg.metrics.frechet import Statistics
from dsg.models.precision import full_float32


class FeatureNetwork(nn.Module, ABC):
    """A frozen network, prepared pictures (B, ...) → features (B, d).

    Subclasses set `name`, with which the metrics' keys end, and `dimension`, d; `least_side` if pictures can be too
    small for it, and `note` if there is something that a reader of its values has to know.
    """

    name: str
    dimension: int
    least_side: int = 1  # pixels: the least height and width of a picture
    note: str | None = None
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
    network: FeatureNetwork,
    files: Sequence[Path],
    device: torch.device,
    batch_size: int = 32,
    num_workers: int = 0,
    size: Size | None = None,
) -> Iterator[Tensor]:
    """Features of picture files, in their order: (B, d) float32 on the CPU, a batch at a time.

    Args:
        network: what makes them.
        files: the pictures.
        device: where the network works.
        batch_size: pictures at once.
        num_workers: processes that read them.
        size: of a centre crop, made as the data's is; None takes the pictures whole.

    Raises:
        UserError: for a file that cannot be read or does not fit.
    """
    network = network.to(device).eval()
    loader = DataLoader(
        _Pictures(files, type(network).prepare, size), batch_size, num_workers=num_workers, collate_fn=list
    )  # fmt: skip
    for batch in loader:
        if mistake := next((item for item in batch if isinstance(item, UserError)), None):
            raise mistake
        with torch.no_grad(), torch.autocast(device.type, enabled=False), full_float32():
            yield network(torch.stack(batch).to(device)).float().cpu()


def read_rgb(file: Path, size: Size | None = None) -> np.ndarray:
    """(H,W,3) uint8, read as the data's images are: upright, 8 bits, over white; cropped only to a `size`.

    Raises:
        UserError: if it is no picture, or smaller than `size`.
    """
    try:
        if size is not None:
            return to_uint8(read_image(file, size)).permute(1, 2, 0).numpy()
        return np.array(open_picture(file))
    except UnreadableImage as error:
        raise UserError(str(error)) from error


class _Pictures(Dataset):
    """Prepared pictures; in the place of one that cannot be used, the error, which a worker could not raise whole."""

    def __init__(self, files: Sequence[Path], prepare: Callable[[np.ndarray], Tensor], size: Size | None) -> None:
        self.files, self.prepare, self.size = files, prepare, size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor | UserError:
        try:
            return self.prepare(read_rgb(self.files[index], self.size))
        except UserError as error:
            return UserError(f"{error} ({self.files[index]})" if str(self.files[index]) not in str(error) else error)
