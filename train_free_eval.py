"""Evaluate training-free guidance on a frozen diffusion model. Start with: python train_free_eval.py predict
--config configs/experiment/portraits_inpainting_dsg.yaml --run_dir runs/mine
For a table of many methods: python train_free_eval.py compare --help
For a page about runs: python train_free_eval.py report RUN_DIR...
"""

from __future__ import annotations

import sys
from contextlib import closing, nullcontext
from typing import Any

from dsg.command.ctrl_c import ctrl_c_ends

# not in a notebook or a test that imports this: Ctrl-C is theirs
with ctrl_c_ends() if __name__ == "__main__" else nullcontext():
    from lightning.pytorch import Callback, Trainer
    from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
    from lightning.pytorch.utilities import rank_zero_only

    import callbacks
    from dsg.command.config import resolve
    from dsg.command.exit_codes import FAILED, OK, explain, flat, quieten
    from dsg.command.parser import BEHAVIOUR, OWN_OPTIONS, PREDICT
    from dsg.command.run_settings import run_settings
    from dsg.data.base import EvaluationData
    from dsg.errors import UserError
    from dsg.models.base import ScoreModel
    from dsg.module import EvaluationDataModule, GuidedDiffusion
    from dsg.run_folder.folder import RunFolder


class EvaluationCLI(LightningCLI):
    """One subcommand, `predict`; its configurations are one before the parser sees them."""

    def __init__(self, arguments: list[str]) -> None:
        resolved = resolve(arguments)
        for note in resolved.notes:
            rank_zero_only(print)(note, file=sys.stderr)
        self.listed_callbacks = resolved.callbacks
        how = {"args": resolved.arguments, "parser_kwargs": {"description": __doc__, "predict": PREDICT}, **BEHAVIOUR}
        data: Any = EvaluationData  # which knows no Lightning: the parser takes it as it is
        super().__init__(GuidedDiffusion, data, **how)

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        return {"predict": {"model", "dataloaders", "datamodule", "return_predictions", "ckpt_path", "weights_only"}}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        for option, how in OWN_OPTIONS.items():
            parser.add_argument(option, **how)
        for name, callback in callbacks.FIRST.items():
            parser.add_lightning_class_args(callback, name)
        for name in self.listed_callbacks:
            parser.add_lightning_class_args(Callback, f"callbacks.{name}", subclass_mode=True)
        for name, callback in callbacks.LAST.items():
            parser.add_lightning_class_args(callback, name)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        run_dir = self.config.predict.run_dir
        if self.config.predict.trainer.logger is None:
            kwargs["logger"] = callbacks.RunFolderLogger(run_dir, name="", version="")
        try:
            return super().instantiate_trainer(default_root_dir=run_dir, **kwargs)
        except Exception as error:  # Lightning has no one kind for what this machine does not offer
            raise UserError(f"trainer: {flat(error)}; accelerator auto and devices auto take what there is") from error

    def predict(self, model: GuidedDiffusion, datamodule: EvaluationData) -> None:
        model.check(datamodule)
        for note in datamodule.notes():
            rank_zero_only(print)(note, file=sys.stderr)
        data, keys = EvaluationDataModule(datamodule), set(datamodule.keys())
        self._get(self.config_init, "quality").learn(model, datamodule)
        with closing(RunFolder(self.config.predict.run_dir)) as folder:
            if first := self.trainer.is_global_zero:
                folder.open(*run_settings(self.parser, self.config))
                data.done = folder.ask_for(keys, model.files_of(datamodule))
            if not keys <= data.done or callbacks.others_are_there(self.trainer):
                self._get(self.config_init, "watch").begin(self.trainer)
                self.trainer.predict(model, datamodule=data, return_predictions=False)
            if first and not folder.is_finished():
                self._get(self.config_init, "writer").finish(self.trainer)
        self.failed = len(keys & folder.failed()) if first else 0  # the first process tells how the run ended
        if self.failed:
            print(f"{self.failed} of {len(keys)} samples failed; {folder.path}/per_image.csv says why", file=sys.stderr)


class CheckCLI(EvaluationCLI):
    """`predict` up to the first sample, with the score model that `built` has for its settings, or else a new one."""

    def __init__(self, arguments: list[str], built: dict[str, ScoreModel]) -> None:
        self.built = built
        super().__init__(arguments)

    def instantiate_classes(self) -> None:
        self._dump_config()  # as long as it can be: an instance is no setting
        model = self.config.predict.model
        key = str(model.score_model)
        model.score_model = self.built.get(key, model.score_model)
        super().instantiate_classes()
        self.built[key] = self.model.score_model

    def predict(self, model: GuidedDiffusion, datamodule: EvaluationData) -> None:
        model.check(datamodule)


def main(args: list[str] | None = None) -> int:
    """Run the command line; the exit code is in docs/run_folder.md."""
    args = sys.argv[1:] if args is None else args
    quieten()
    try:
        if args[:1] == ["compare"]:
            from dsg.comparison.command import compare  # for many methods at once

            return compare(args[1:], main, lambda run, built: CheckCLI(run, built).datamodule.keys())
        if args[:1] == ["report"]:
            from dsg.report.command import report

            return report(args[1:])
        return FAILED if EvaluationCLI(args).failed else OK
    except BaseException as error:
        code, message = explain(error)
        print(message, file=sys.stderr, end="\n" * bool(message))
        return code


if __name__ == "__main__":
    sys.exit(main())
