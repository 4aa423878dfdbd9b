"""Callbacks that watch and record an evaluation; the sampling itself knows nothing of them."""

from callbacks.base import EvaluationCallback
from callbacks.captions import Captions
from callbacks.class_groups import ClassGroups
from callbacks.classification import Classification
from callbacks.diagnostics import Diagnostics
from callbacks.distribution import Distribution
from callbacks.diversity import Diversity
from callbacks.loggers.run_folder_logger import RunFolderLogger, with_tensorboard
from callbacks.manifold import Manifold
from callbacks.measured import not_measured
from callbacks.posterior import Posterior
from callbacks.processes.store import others_are_there
from callbacks.processes.watch import Watch
from callbacks.progress import SamplingProgress
from callbacks.provenance import Provenance, record
from callbacks.quality import Quality
from callbacks.reciprocal_path import ReciprocalPath
from callbacks.second_opinion import SecondOpinion
from callbacks.timing import Timing
from callbacks.writer import RunFolderWriter

__all__ = [
    "FIRST",
    "LAST",
    "Captions",
    "ClassGroups",
    "Classification",
    "Diagnostics",
    "Distribution",
    "Diversity",
    "EvaluationCallback",
    "Manifold",
    "Posterior",
    "Provenance",
    "Quality",
    "ReciprocalPath",
    "RunFolderLogger",
    "RunFolderWriter",
    "SamplingProgress",
    "SecondOpinion",
    "Timing",
    "Watch",
    "not_measured",
    "others_are_there",
    "record",
    "with_tensorboard",
]

# always present, each one's options at the top level, as --quality.lpips or --diagnostics.images; those that a
# configuration lists under `callbacks` come between: the last ones read and write what the others add to a batch's rows
FIRST = {
    "watch": Watch,
    "provenance": Provenance,
    "progress": SamplingProgress,
    "timing": Timing,
    "quality": Quality,
}
LAST = {
    "distribution": Distribution,
    "diversity": Diversity,
    "diagnostics": Diagnostics,
    "writer": RunFolderWriter,
}
