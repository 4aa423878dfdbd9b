"""Evaluate training-free guidance on a frozen diffusion model.

python train_free_eval.py predict --config configs/experiment/portraits_inpainting_dsg.yaml --run_dir runs/mine
"""

from __future__ import annotations

import logging
import sys
import warnings

from dsg.quick_import import without_torchvision

with without_torchvision():
    from lightning.pytorch import Trainer
    from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
    from lightning.pytorch.loggers import TensorBoardLogger
    from lightning.pytorch.utilities.exceptions import MisconfigurationException

import callbacks
from dsg.config import expand_includes, resume_settings, settings_head
from dsg.data.base import EvaluationData
from dsg.errors import UserError
from dsg.module import GuidedDiffusion
from dsg.results import RunFolder

# always present, in this order; each one's options are at the top level, as --quality.lpips or --diagnostics.images
CALLBACKS = {
    "progress": callbacks.SamplingProgress,
    "timing": callbacks.Timing,
    "quality": callbacks.Quality,
    "diagnostics": callbacks.Diagnostics,
    "writer": callbacks.RunFolderWriter,
}


class EvaluationCLI(LightningCLI):
    """`predict`: sample every image under guidance, into a run folder that continues where it stopped."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        return {"predict": {"model", "dataloaders", "datamodule", "return_predictions", "ckpt_path", "weights_only"}}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--run_dir", type=str, required=True, help="The run folder: new, or one to continue.")
        parser.add_argument("--include", type=list[str], help="Configurations to read before this one, relative to it.")
        for name, callback in CALLBACKS.items():
            parser.add_lightning_class_args(callback, name)

    def instantiate_trainer(self, **kwargs) -> Trainer:
        run_dir = self.config.predict.run_dir
        if self.config.predict.trainer.logger is None:
            kwargs["logger"] = TensorBoardLogger(run_dir, name="", version="")
        return super().instantiate_trainer(default_root_dir=run_dir, **kwargs)

    def predict(self, model: GuidedDiffusion, datamodule: EvaluationData) -> None:
        model.check(datamodule)
        keys = datamodule.keys()
        folder = RunFolder(self.config.predict.run_dir)
        settings, ignored = resume_settings(self.parser, self.config)
        folder.open(settings, settings_head(), ignored)
        datamodule.done = folder.done()
        if not set(keys) <= datamodule.done:
            self.trainer.predict(model, datamodule=datamodule, return_predictions=False)
        if failed := set(keys) - folder.done():
            raise ImagesFailed(f"{len(failed)} of {len(keys)} failed; {folder.path}/per_image.csv says why")


class ImagesFailed(Exception):
    """The evaluation is complete but for images that could not be read or sampled."""


def main(args: list[str] | None = None) -> int:
    """Run the command line; 0 done, 1 some images failed, 2 a mistake in the input, 130 interrupted."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for message in (".*does not have many workers.*", ".*LightningCLI's args parameter.*", ".*LeafSpec.*"):
        warnings.filterwarnings("ignore", message=message)
    try:
        EvaluationCLI(
            GuidedDiffusion,
            EvaluationData,
            subclass_mode_data=True,
            save_config_callback=None,
            seed_everything_default=False,
            trainer_defaults={"inference_mode": False},
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            parser_kwargs={"description": __doc__},
            args=expand_includes(sys.argv[1:] if args is None else args),
        )
    except ImagesFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (UserError, MisconfigurationException) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
