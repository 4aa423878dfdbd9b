"""Evaluate training-free guidance on a frozen diffusion model. Start with: train-free-eval predict
--config portraits_inpainting_dsg --run_dir runs/mine
For a table of many methods: train-free-eval compare --help
For a page about runs: train-free-eval report RUN_DIR...
To take part in the benchmark: train-free-eval bench --guidance my_module.MyMethod
"""

from __future__ import annotations

import sys
from argparse import SUPPRESS
from collections.abc import Sequence
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from dsg.command.importing import importing

AS_A_COMMAND = __name__ == "__main__" or Path(sys.argv[0]).stem == "train-free-eval"
# not in a notebook or a test that imports this: Ctrl-C and garbage are theirs
with importing() if AS_A_COMMAND else nullcontext():
    from lightning.pytorch import Callback, Trainer
    from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
    from lightning.pytorch.utilities import rank_zero_only

    import callbacks
    from dsg.command.code import project_version
    from dsg.command.config import resolve
    from dsg.command.exit_codes import FAILED, OK, explain, flat, quieten
    from dsg.command.parser import BEHAVIOUR, OWN_OPTIONS, PREDICT, refuse_global_seed
    from dsg.command.private_interfaces import keep_settings_as_they_are, reuse_parser
    from dsg.command.run_settings import recordable, run_settings
    from dsg.command.strategies import check_strategy
    from dsg.data.base import EvaluationData
    from dsg.errors import UserError
    from dsg.metrics.of_samples import of_one_sample
    from dsg.module import EvaluationDataModule, SamplingModule, module_for
    from dsg.run_folder.folder import RunFolder


class EvaluationCLI(LightningCLI):
    """One subcommand, `predict`; its configurations are one before the parser sees them."""

    def __init__(self, arguments: list[str]) -> None:
        resolved = resolve(arguments)
        for note in resolved.notes:
            rank_zero_only(print)(note, file=sys.stderr)
        self.listed_callbacks = resolved.callbacks
        parsing = {"description": __doc__, "version": project_version(), "predict": PREDICT}
        how = {"args": resolved.arguments, "parser_kwargs": parsing, **BEHAVIOUR}
        data: Any = EvaluationData  # which knows no Lightning: the parser takes it as it is
        self.module_class = module_for(resolved.model)
        super().__init__(self.module_class, data, **how)

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        return {"predict": {"model", "dataloaders", "datamodule", "return_predictions", "ckpt_path", "weights_only"}}

    def setup_parser(
        self, add_subcommands: bool, main_kwargs: dict[str, Any], subparser_kwargs: dict[str, Any]
    ) -> None:
        build = partial(super().setup_parser, add_subcommands, main_kwargs, subparser_kwargs)
        reuse_parser(self, (self.module_class, main_kwargs["version"], *self.listed_callbacks), build)

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--seed_everything", type=bool | int, default=False, help=SUPPRESS)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        super().parse_arguments(parser, args)
        refuse_global_seed(self.config.predict.seed_everything)
        self.config, self.recorded = recordable(parser, self.config)

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
        own = callbacks.RunFolderLogger(run_dir, name="", version="")
        kwargs["logger"] = callbacks.with_tensorboard(self.config_init["predict"].trainer.logger, own)
        try:
            trainer = super().instantiate_trainer(default_root_dir=run_dir, **kwargs)
        except UserError:
            raise
        except Exception as error:  # Lightning has no one kind for what this machine does not offer
            raise UserError(f"trainer: {flat(error)}; accelerator auto and devices auto take what there is") from error
        check_strategy(trainer.strategy, self.config.predict.trainer.strategy)
        return trainer

    def evaluation_callbacks(self) -> list[callbacks.EvaluationCallback]:
        found: list[Any] = self.trainer.callbacks  # type: ignore[attr-defined]
        return [callback for callback in found if isinstance(callback, callbacks.EvaluationCallback)]

    def predict(self, model: SamplingModule, datamodule: EvaluationData) -> None:
        model.check(datamodule)
        for callback in self.evaluation_callbacks():
            callback.check(model, datamodule)
        for note in model.notes(datamodule):
            rank_zero_only(print)(note, file=sys.stderr)
        data, keys, made = EvaluationDataModule(datamodule), set(datamodule.keys()), self.config_init["predict"]
        with closing(RunFolder(self.config.predict.run_dir)) as folder:
            if first := self.trainer.is_global_zero:
                folder.open(*run_settings(self.recorded["predict"]))
                data.done = folder.ask_for(keys, model.files_of(datamodule))
                rows = folder.rows()
                data.start = folder.provenance.next(rows)
                data.batch_size = data.batch_size or folder.provenance.batch_size(rows)
            if not keys <= data.done or callbacks.others_are_there(self.trainer):
                made.watch.begin(self.trainer)
                self.trainer.predict(model, datamodule=data, return_predictions=False)
            if first and not folder.is_finished():  # what made the rows was killed, and nothing is left to sample
                callbacks.record(folder, data.start, self.trainer, model)
                made.writer.finish(self.trainer, never_met=(model, datamodule))
        self.failed = len(keys & folder.failed()) if first else 0  # the first process tells how the run ended
        if self.failed:
            print(f"{self.failed} of {len(keys)} samples failed; {folder.path}/per_image.csv says why", file=sys.stderr)


class CheckCLI(EvaluationCLI):
    """`predict` up to the first sample, with the score model and the data that `built` has for its settings, or else
    new ones. A metric of `needed` that is known to be unavailable, or that nothing measures, is a mistake.
    """

    def __init__(self, arguments: list[str], built: dict[str, Any], needed: Sequence[str] = ()) -> None:
        self.built, self.needed = built, needed
        super().__init__(arguments)

    def instantiate_classes(self) -> None:
        keep_settings_as_they_are(self, self.recorded["predict"])
        model = self.config.predict.model
        name = self.module_class.model_name
        frozen, data = str(model[name]), f"{self.config.predict.data} of {model[name]}"
        model[name] = self.built.get(frozen, model[name])
        super().instantiate_classes()
        self.built[frozen] = self.model.model
        self.data: EvaluationData = self.built.setdefault(data, self.datamodule)  # what has been read of it is known

    def predict(self, model: SamplingModule, datamodule: EvaluationData) -> None:
        model.check(datamodule)
        missing: dict[str, str] = {}
        watched = f"callbacks of {self._what_callbacks_watch(model)}"
        for callback in self.evaluation_callbacks():
            if watched not in self.built:  # runs that differ in strengths alone are one question
                callback.check(model, datamodule)
            callback.meet(model, datamodule)
            missing |= callback.unavailable()
        self.built[watched] = True
        reasons = (missing.get(name) or missing.get(of_one_sample(name)) for name in self.needed)
        if lacking := next(filter(None, reasons), None):
            raise UserError(f"comparison.metrics: {lacking}; mend that, take it away, or name it in optional_metrics")
        if unknown := callbacks.not_measured(self.needed, self.evaluation_callbacks(), model.sampler.task):
            raise UserError(
                f"comparison.metrics or comparison.tuning.metric: nothing in this run measures {unknown}; correct the "
                "name (docs/metrics.md), list the callback that does under callbacks, or take it away"
            )

    def _what_callbacks_watch(self, model: SamplingModule) -> list[str]:
        """The settings on which it hangs whether callbacks can measure."""
        settings = self.config.predict
        followed = (model.model_name, "task", "combiner", *["guidance"] * bool(model.guidance_networks))
        parts = [settings.data, *(settings.model[name] for name in followed)]
        named = (*callbacks.FIRST, *callbacks.LAST, *(f"callbacks.{name}" for name in self.listed_callbacks))
        return [str(part) for part in (*parts, *(settings.get(name) for name in named))]


def main(args: list[str] | None = None) -> int:
    """Run the command line; the exit code is in docs/run_folder.md."""
    args = sys.argv[1:] if args is None else args
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)  # a class of one's own lies here; new processes inherit it
    quieten()
    try:
        if args[:1] == ["compare"]:
            from dsg.comparison.command import compare  # for many methods at once

            return compare(args[1:], main, lambda *run: CheckCLI(*run).data)
        if args[:1] == ["report"]:
            from dsg.report.command import report

            return report(args[1:])
        if args[:1] == ["bench"]:
            from dsg.bench.command import bench

            return bench(args[1:], main, lambda *run: CheckCLI(*run).data)
        return FAILED if EvaluationCLI(args).failed else OK
    except BaseException as error:
        code, message = explain(error)
        print(message, file=sys.stderr, end="\n" * bool(message))
        return code


if __name__ == "__main__":
    sys.exit(main())
