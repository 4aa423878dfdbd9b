"""What this code asks of other libraries that they have not promised to keep: all of it, and nowhere else.

Where a library has a public way, that is used and stands where it is needed. What is here may go with any upgrade. Each
function then raises a UserError that names the library, its version and the missing name, and the test of the same name
says so before a run does.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from importlib.metadata import version
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.strategies import Strategy
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from dsg.errors import UserError


def follow_signal_handlers(trainer: Trainer, ours: Callable[[], None]) -> None:
    """Have `ours` called as soon as Lightning has put its own handlers of signals in place, and before it waits for
    other processes. Lightning takes its handlers back at the end, and with them what replaced them.

    There is no hook between the two, and its own handler of SIGTERM waits in a collective.
    """
    connector = _part(trainer, "_signal_connector", "lightning")
    lightnings = _part(connector, "register_signal_handlers", "lightning")

    def register() -> None:
        lightnings()
        ours()

    connector.register_signal_handlers = register


def take_processes(strategy: Strategy) -> list[subprocess.Popen]:
    """The processes that Lightning's `ddp` has started, once it has started all; none before, and where somebody else
    starts them. It forgets them: it would kill the first process where another has ended, without a word and while it
    may be writing.
    """
    launcher = strategy.launcher
    if launcher is None or starts_by_multiprocessing(strategy):
        return []
    launched = _part(launcher, "procs", "lightning")
    if len(launched) < _part(launcher, "num_processes", "lightning") - 1:
        return []
    processes = list(launched)
    launched.clear()
    return processes


def starts_by_multiprocessing(strategy: Strategy) -> bool:
    """Whether processes are copies of this one (spawn, fork, notebook), and not commands of their own."""
    launchers = import_module("lightning.pytorch.strategies.launchers")
    return isinstance(strategy.launcher, _part(launchers, "_MultiProcessingLauncher", "lightning"))


def keep_settings_as_they_are(cli: LightningCLI, settings: dict[str, Any]) -> None:
    """Have the command line take `settings` for what it notes of its own. It would note them later, when one may have
    been replaced by what was made of it, which is no setting.
    """
    _part(cli, "_dump_config", "lightning")  # which from now on finds them there
    cli.config_dump = settings


def reuse_parser(cli: LightningCLI, options: Hashable, build: Callable[[], None]) -> None:
    """Give `cli` the parser that another one was built with for the same `options`; the first has its own built.

    A parser keeps nothing of what it has parsed, and to build it is a third of what a short command line takes.
    """
    if options not in _PARSERS:
        build()
        _PARSERS[options] = {name: _part(cli, name, "lightning") for name in _OF_A_PARSER}
    vars(cli).update(_PARSERS[options])


_OF_A_PARSER = ("parser", "_subcommand_parsers", "_subcommand_method_arguments")
_PARSERS: dict[Hashable, dict[str, Any]] = {}


def options_of(parser: Any) -> Iterable[str]:
    """Every option that a parser knows, with its dashes; those of a subcommand are its own parser's."""
    return _part(parser, "_option_string_actions", "jsonargparse").keys()


def add_summary(writer: SummaryWriter, summary: Any) -> None:
    """Write a summary as it is into a run's event file; what is public would open a folder of its own for it."""
    _part(writer, "_get_file_writer", "torch")().add_summary(summary)


def watch_operations(tell: Callable[[list[Tensor], list[Tensor]], None]) -> AbstractContextManager[Any]:
    """Inside it `tell` hears of each operation of torch, forward and backward: what tensors it was given, and gave."""
    mode: Any = _part(import_module("torch.utils._python_dispatch"), "TorchDispatchMode", "torch")

    class Watching(mode):
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False  # to hide from a compiler that nobody may need would load it, for seconds

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            given = [*_tensors(args), *_tensors(kwargs)]
            result = func(*args, **(kwargs or {}))
            tell(given, list(_tensors(result)))
            return result

    return Watching()


def _tensors(values: Any) -> Iterator[Tensor]:
    """Those in lists, tuples and dictionaries, at any depth."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list | tuple | dict):
        for value in values.values() if isinstance(values, dict) else values:
            yield from _tensors(value)


def _part(thing: Any, name: str, library: str) -> Any:
    """`thing.name`, or a UserError that says who took it away."""
    try:
        return getattr(thing, name)
    except AttributeError as error:
        kind = thing.__name__ if hasattr(thing, "__name__") else type(thing).__name__
        raise UserError(
            f"{library} {version(library)} has no {kind}.{name}, which this program relies on; install the {library} "
            f"that it was tested with, or mend {__name__}"
        ) from error
