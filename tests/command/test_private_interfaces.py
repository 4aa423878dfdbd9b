"""What libraries have not promised to keep is still there; where it is not, the failing test says what is gone."""

from __future__ import annotations

import signal
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import scalar

from dsg.command import private_interfaces
from dsg.command.parser import EvaluationParser
from dsg.errors import UserError


@pytest.fixture
def trainer(tmp_path):
    """On two processes, none of which has been started."""
    return Trainer(
        accelerator="cpu", devices=2, strategy="ddp", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
    )  # fmt: skip


def test_lightning_lets_its_handlers_of_signals_be_followed_by_others(trainer):
    before = signal.getsignal(signal.SIGTERM)
    seen = []
    private_interfaces.follow_signal_handlers(trainer, lambda: seen.append(signal.getsignal(signal.SIGTERM)))
    trainer._signal_connector.register_signal_handlers()
    assert seen not in ([], [before])  # ours came after Lightning's
    trainer._signal_connector.teardown()
    assert signal.getsignal(signal.SIGTERM) == before


def test_lightning_tells_the_processes_that_it_has_started_and_forgets_them(trainer):
    assert private_interfaces.take_processes(trainer.strategy) == []
    trainer.strategy.launcher.procs.append(child := object())
    assert private_interfaces.take_processes(trainer.strategy) == [child]
    assert trainer.strategy.launcher.procs == []
    assert private_interfaces.take_processes(SingleDeviceStrategy("cpu")) == []


@pytest.mark.parametrize(("start", "copies"), [("popen", False), ("spawn", True), ("fork", True)])
def test_lightning_tells_whether_processes_are_copies_of_this_one(start, copies):
    strategy = Trainer(accelerator="cpu", devices=2, strategy=DDPStrategy(start_method=start), logger=False).strategy
    assert private_interfaces.starts_by_multiprocessing(strategy) == copies


def test_torch_tells_of_each_operation_forward_and_backward():
    told: list[tuple[int, list[tuple[int, ...]]]] = []
    x = torch.zeros(2, 3, requires_grad=True)
    with private_interfaces.watch_operations(
        lambda given, made: told.append((len(given), [tuple(tensor.shape) for tensor in made]))
    ):
        torch.autograd.grad(torch.cat([x, x]).sin().sum(), x)
    assert told[0] == (2, [(4, 3)])
    assert (1, [(4, 3)]) in told  # the sine
    assert (2, [(2, 3)]) in told  # two gradients are one


def test_lightning_notes_its_settings_once_and_takes_those_that_are_there():
    cli = SimpleNamespace(_dump_config=None)  # it has neither settings nor a parser to write them down
    private_interfaces.keep_settings_as_they_are(cli, {"model": {"steps": 3}})
    LightningCLI._dump_config(cli)
    assert cli.config_dump == {"model": {"steps": 3}}


def test_jsonargparse_tells_the_options_of_a_parser():
    parser = EvaluationParser()
    parser.add_argument("--some.option", type=int)
    assert {"--help", "--some.option"} <= set(private_interfaces.options_of(parser))


def test_lightning_s_command_line_takes_a_parser_that_another_has_built():
    class Evaluation(LightningCLI):
        def setup_parser(self, *how):
            private_interfaces.reuse_parser(
                self, options, lambda: built.append(super(Evaluation, self).setup_parser(*how))
            )

        def _run_subcommand(self, subcommand):
            """Not what is asked here."""

    how = {"save_config_callback": None, "trainer_defaults": {"logger": False, "enable_checkpointing": False}}
    options, built = object(), []
    first = Evaluation(LightningModule, args=["predict", "--trainer.max_epochs", "3"], **how)
    second = Evaluation(LightningModule, args=["predict", "--trainer.accelerator", "cpu"], **how)
    assert len(built) == 1
    assert second.parser is first.parser
    assert (first.trainer.max_epochs, second.trainer.max_epochs) == (3, None)  # nothing of the first is left


def test_torch_writes_a_summary_of_ones_own_into_the_event_file(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        private_interfaces.add_summary(writer, scalar("mine", 1.0))
    (file,) = tmp_path.iterdir()
    assert [value.tag for event in EventFileLoader(str(file)).Load() for value in event.summary.value] == ["mine"]


@pytest.mark.parametrize(
    ("use", "says"),
    [
        (
            lambda: private_interfaces.follow_signal_handlers(object(), print),
            r"lightning \S+ has no object\._signal_con",
        ),
        (
            lambda: private_interfaces.keep_settings_as_they_are(object(), {}),
            r"lightning \S+ has no object\._dump_config",
        ),
        (
            lambda: private_interfaces.reuse_parser(SimpleNamespace(), "none", lambda: None),
            r"lightning \S+ has no SimpleNamespace\.parser",
        ),
        (lambda: private_interfaces.options_of(object()), r"jsonargparse \S+ has no object\._option_string_actions"),
        (lambda: private_interfaces.add_summary(object(), None), r"torch \S+ has no object\._get_file_writer"),
    ],
)
def test_what_an_upgrade_has_taken_away_is_named_with_its_library_and_version(use, says):
    with pytest.raises(UserError, match=says):
        use()
