"""Callbacks that watch and record an evaluation; the sampling itself knows nothing of them."""

from callbacks.classification import Classification
from callbacks.diagnostics import Diagnostics
from callbacks.distribution import Distribution
from callbacks.diversity import Diversity
from callbacks.manifold import Manifold
from callbacks.posterior import Posterior
from callbacks.processes.store import others_are_there
from callbacks.processes.watch import Watch
from callbacks.progress import SamplingProgress
from callbacks.quality import Quality
from callbacks.reciprocal_path import ReciprocalPath
from callbacks.tensorboard.logger import RunFolderLogger
from callbacks.timing import Timing
from callbacks.writer import RunFolderWriter

__all__ = [
    "ALWAYS",
    "Classification",
    "Diagnostics",
    "Distribution",
    "Diversity",
    "Manifold",
    "Posterior",
    "Quality",
    "ReciprocalPath",
    "RunFolderLogger",
    "RunFolderWriter",
    "SamplingProgress",
    "Timing",
    "Watch",
    "others_are_there",
]

# always present, in this order; each one's options are at the top level, as --quality.lpips or --diagnostics.images
ALWAYS = {
    "watch": Watch,
    "progress": SamplingProgress,
    "timing": Timing,
    "quality": Quality,
    "classification": Classification,
    "posterior": Posterior,
    "reciprocal_path": ReciprocalPath,
    "manifold": Manifold,
    "distribution": Distribution,
    "diversity": Diversity,
    "diagnostics": Diagnostics,
    "writer": RunFolderWriter,
}
