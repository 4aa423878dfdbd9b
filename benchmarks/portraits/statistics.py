"""The reference of `fd_portraits`: mean and covariance of the judge's features over portraits that no training saw.

    python -m benchmarks.portraits.statistics

Make it again whenever the judge changes; `weights` in the file is the SHA-256 of the weights that it belongs to.
"""

from __future__ import annotations

import argparse
import hashlib
import io
from pathlib import Path

import numpy as np
import torch

from dsg.data.portraits import HELD_OUT_START
from dsg.metrics.frechet import Moments
from dsg.metrics.portraits import REFERENCE
from dsg.models.portraits.classifier import FEATURES, PortraitsClassifier, weights
from dsg.run_folder.atomic import write_atomically

from .pictures import Pictures

START = HELD_OUT_START + 700_000  # apart from what is evaluated, so that no sample is in its own reference
COUNT = 2000
BATCH = 100


def fingerprint() -> str:
    """SHA-256 of the judge's weights."""
    return hashlib.sha256(weights("judge").read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--out", type=Path, default=REFERENCE)
    options = parser.parse_args()

    judge, moments = PortraitsClassifier("judge"), Moments(FEATURES)
    pictures, _ = Pictures(START, options.count).collect()
    with torch.no_grad():
        for batch in torch.from_numpy(pictures).split(BATCH):
            moments.add(judge.features(batch.float() / 127.5 - 1))
    made = moments.statistics()
    buffer = io.BytesIO()
    np.savez(
        buffer,
        mu=made.mean.numpy(), sigma=made.covariance.numpy(), n=np.array(made.n), first=np.array(START),
        weights=np.array(fingerprint()),
    )  # fmt: skip
    write_atomically(options.out, buffer.getvalue())
    print(f"{options.out}: {made.n} portraits from {START} on")


if __name__ == "__main__":
    main()
