"""The sampling loops as Lightning sees them: a module a kind of process, their data module, and what they hand on.

Trainer(inference_mode=False).predict(GuidedDiffusion(...), datamodule=EvaluationDataModule(HeldOutPortraits()))
"""

from collections.abc import Collection

from dsg.module.batch_result import BatchResult
from dsg.module.data_module import EvaluationDataModule
from dsg.module.guided_diffusion import GuidedDiffusion
from dsg.module.masked_diffusion import MaskedDiffusion
from dsg.module.sampling_module import SamplingModule, StepObserver


def module_for(named: Collection[str]) -> type[SamplingModule]:
    """The module of what a configuration sets of its model: a token model makes it a masked process."""
    return MaskedDiffusion if MaskedDiffusion.model_name in named else GuidedDiffusion


__all__ = [
    "BatchResult",
    "EvaluationDataModule",
    "GuidedDiffusion",
    "MaskedDiffusion",
    "SamplingModule",
    "StepObserver",
    "module_for",
]
