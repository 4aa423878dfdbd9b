"""Callbacks that watch and record an evaluation; the sampling itself knows nothing of them."""

from callbacks.classification import Classification
from callbacks.diagnostics import Diagnostics
from callbacks.logger import RunFolderLogger
from callbacks.manifold import Manifold
from callbacks.posterior import Posterior
from callbacks.progress import SamplingProgress
from callbacks.quality import Quality
from callbacks.timing import Timing
from callbacks.writer import RunFolderWriter

__all__ = [
    "Classification",
    "Diagnostics",
    "Manifold",
    "Posterior",
    "Quality",
    "RunFolderLogger",
    "RunFolderWriter",
    "SamplingProgress",
    "Timing",
]
