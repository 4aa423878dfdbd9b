"""The command line's parser: a mistake is one line on stderr, and the Trainer's options are those of an evaluation."""

from __future__ import annotations

import re
import sys
from difflib import get_close_matches
from typing import Any, NoReturn

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser

from dsg.command.choices import choices
from dsg.command.private_interfaces import options_of
from dsg.errors import UserError, how_to_install

OF_LIGHTNING = (Trainer, LightningModule, Callback)

# the Trainer's options that act on training alone, or that the command line sets itself
HIDDEN = (
    "fast_dev_run", "max_epochs", "min_epochs", "max_steps", "min_steps", "max_time", "limit_train_batches",
    "limit_val_batches", "limit_test_batches", "overfit_batches", "val_check_interval", "check_val_every_n_epoch",
    "num_sanity_val_steps", "log_every_n_steps", "enable_progress_bar", "enable_checkpointing", "enable_model_summary",
    "accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm", "barebones", "sync_batchnorm",
    "reload_dataloaders_every_n_epochs", "default_root_dir", "enable_autolog_hparams", "model_registry",
    "limit_predict_batches",
)  # fmt: skip

# what Lightning's users reach for, and what does it here
INSTEAD = {
    "trainer.limit_predict_batches": "a batch is no measure of what is evaluated; set data.limit, the number of images",
    "trainer.default_root_dir": "set run_dir",
    "trainer.fast_dev_run": "set data.limit 1 and model.steps 2 for a quick try",
    "trainer.enable_progress_bar": "set progress.interval, the seconds between two lines where there is no terminal",
}

# what jsonargparse says around the message that a person wants to read, outermost first
NOISE = (
    (
        r"Does not validate against any of the Union subtypes "
        r"Subtypes: \[<class '(\w+)'>, (?:typing\.)?Literal\[([^]]*)\]\] "
        r"Errors: - Expected a <class '\w+'> - Expected a (?:typing\.)?Literal\[[^]]*\] "
        r"Given value type: <class '[\w.]+'> Given value: (\S+)",
        r"expected \1 or \2, got \3",
    ),
    (r"Does not validate against any of the Union subtypes Subtypes: .*? Errors: (.*) Given value type: .*$", r"\1"),
    (r"- Expected a <class 'NoneType'>", ""),
    (r"- Expected a path but \S+ either not accessible or invalid", ""),
    (r"Parser key \"([^\"]+)\":", r"\1:"),
    (r"Problem with given class_path '([^']+)':", r"\1:"),
    (r"Expected a (.*?)\. Got value: (.*)$", r"expected \1, got \2"),
    (r"- Expected a ", "- expected "),
    (r"(?:typing\.)?Literal\[([^]]*)\]", r"one of \1"),
    (r"<class '(\w+)'>", r"\1"),
    (r"\bpredict\.", ""),
    (r": - ", ": "),
    (r"Subcommand 'predict' does not accept option '([^']*)'", r"predict has no option \1"),
    (r"No module named 'deepinv'", f"deepinv is not installed: {how_to_install('deepinv')}"),
)


class Evaluator(Trainer):
    """Devices, precision and the other options of Lightning's Trainer that matter here"""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if kwargs.get("precision") in (16, "16", "16-mixed") and self.precision != "16-mixed":
            raise UserError(
                f"trainer: precision 16-mixed needs a GPU; without one set trainer.precision to {self.precision}"
            )
        if kwargs.get("inference_mode"):
            raise UserError("trainer: sampling needs gradients; set trainer.inference_mode to false")

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """Sample every image under guidance, into a run folder that continues where it stopped"""
        return super().predict(*args, **kwargs)


PREDICT = {
    "description": f"{Evaluator.predict.__doc__}. More callbacks are listed under `callbacks`: docs/configuration.md",
    "usage": "%(prog)s --config FILE [--config FILE ...] --run_dir FOLDER [--option VALUE ...]",
}


class EvaluationParser(LightningArgumentParser):
    """Lightning's parser, with errors of one line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})  # what begins like an option is not that option

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        if not self.exit_on_error:  # an inner parser: the outer one reports
            super().error(message, ex)
        sys.stderr.write(f"error: {one_line(message)}{self._suggestion(message)}\n")
        self.exit(2)

    def add_class_arguments(self, class_type: type, *args: Any, **kwargs: Any) -> list[str]:
        if issubclass(class_type, Trainer):
            kwargs["skip"] = set(HIDDEN)
        return super().add_class_arguments(class_type, *args, **kwargs)

    def add_lightning_class_args(
        self, lightning_class: Any, nested_key: str, subclass_mode: bool = False, required: bool = True
    ) -> list[str]:
        if isinstance(lightning_class, type) and not issubclass(lightning_class, OF_LIGHTNING):  # the data
            self.add_subclass_arguments(lightning_class, nested_key, fail_untyped=False, required=required)
            return [nested_key]
        return super().add_lightning_class_args(lightning_class, nested_key, subclass_mode, required)

    def _suggestion(self, message: str) -> str:
        unknown = re.search(r"(?:unrecognized arguments: --|does not accept option ')([\w.]+)", message)
        if not unknown:
            return choices(one_line(message))
        if unknown[1] in INSTEAD:
            return f"; {INSTEAD[unknown[1]]}"
        similar = get_close_matches(f"--{unknown[1]}", options_of(self), n=1, cutoff=0.8)
        return f"; did you mean {similar[0]}?" if similar else "; predict --help lists the options"


def refuse_global_seed(value: bool | int) -> None:
    """Raise UserError where `--seed_everything`, Lightning's option, is more than false, as if it were not given."""
    if value is not False:
        seed = "N" if value is True else value
        raise UserError(f"seed_everything: no sample depends on a global seed; set model.seed {seed} for other noise")


OWN_OPTIONS: dict[str, dict[str, Any]] = {
    "--run_dir": {"type": str, "required": True, "help": "The run folder: new, or one to continue."},
    "--fresh": {"action": "store_true", "help": "Begin anew; the old run folder is kept as RUN_DIR.1, .2, ..."},
    "--strengths": {"type": str | None, "help": "A table: the strength of a method where no configuration states it."},
}

# how Lightning's command line is to behave: it evaluates, and trains nothing
BEHAVIOUR: dict[str, Any] = {
    "subclass_mode_data": True,
    "save_config_callback": None,
    "seed_everything_default": False,
    "trainer_class": Evaluator,
    "trainer_defaults": {"inference_mode": False},
    "auto_configure_optimizers": False,
    "load_from_checkpoint_support": False,
    "parser_class": EvaluationParser,
}


def one_line(message: str) -> str:
    """jsonargparse's message without its frame and line breaks."""
    shorter = " ".join(message.split())
    for pattern, replacement in NOISE:
        shorter = " ".join(re.sub(pattern, replacement, shorter).split())
    return shorter if shorter == message else one_line(shorter)  # a choice within a choice has a frame of its own
