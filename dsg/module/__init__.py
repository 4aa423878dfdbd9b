"""The sampling loop as Lightning sees it: one module, its data module, and what they hand on.

Trainer(inference_mode=False).predict(GuidedDiffusion(...), datamodule=EvaluationDataModule(HeldOutPortraits()))
"""

from dsg.module.batch_result import BatchResult
from dsg.module.data_module import EvaluationDataModule
from dsg.module.guided_diffusion import GuidedDiffusion, StepObserver

__all__ = ["BatchResult", "EvaluationDataModule", "GuidedDiffusion", "StepObserver"]
