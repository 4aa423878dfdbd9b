"""Make the reference of many runs once: statistics and features of a folder of pictures, as a .npz.

    python -m dsg.metrics.save_reference FOLDER --out reference.npz

Then `--distribution.reference reference.npz` gives what the folder gives, without reading it again.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import numpy as np
import torch

from dsg.data.image_file import Size
from dsg.errors import UserError
from dsg.metrics.feature_set import collect
from dsg.metrics.features import FeatureNetwork, extract
from dsg.metrics.inception import Inception
from dsg.metrics.portraits import PortraitFeatures
from dsg.metrics.reference import pictures_below
from dsg.run_folder.atomic import write_atomically


def save_reference(
    folder: Path,
    out: Path,
    network: FeatureNetwork,
    device: torch.device,
    subset: int,
    num_workers: int,
    size: Size | None = None,
) -> int:
    """Write `mu`, `sigma` and `n` of all pictures and `feats` of at most `subset`; returns how many pictures there are.

    With a `size` they are cropped to it as data is, without one they are taken whole.

    Raises:
        UserError: for a folder without pictures, or with one that cannot be read or does not fit.
    """
    files = pictures_below(folder)
    try:
        found = collect(extract(network, files, device, 32, num_workers, size), len(files), network.dimension, subset)
    except ValueError as error:
        raise UserError(f"{folder}: {error}") from error
    mu, sigma = found.statistics.mean.numpy(), found.statistics.covariance.numpy()
    buffer = io.BytesIO()
    np.savez(buffer, mu=mu, sigma=sigma, n=np.array(len(files)), feats=np.asarray(found.features))
    write_atomically(out, buffer.getvalue())
    return len(files)


def main(args: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="a .npz")
    parser.add_argument("--features", choices=["inception", "portraits"], default="inception")
    parser.add_argument("--inception", help="inception-2015-12-05.pt, or its folder")
    parser.add_argument("--inception_sha256", help="of --inception, if it is not the published file and you trust it")
    parser.add_argument("--image_size", type=int, nargs="+", help="N, or H W: crop as data is; without, taken whole")
    parser.add_argument("--subset", type=int, default=10_000, help="features to keep")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--num_workers", type=int, default=0)
    options = parser.parse_args(args)
    if options.image_size and len(options.image_size) > 2:
        parser.error(f"--image_size: takes N, or H W; got {' '.join(map(str, options.image_size))}")
    size = options.image_size and (options.image_size[0], options.image_size[-1])
    try:
        if options.features == "inception":
            network: FeatureNetwork = Inception(options.inception, options.inception_sha256)
        else:
            network = PortraitFeatures()
        device = torch.device(options.device)
        count = save_reference(options.folder, options.out, network, device, options.subset, options.num_workers, size)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{options.out}: {count} pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
