"""How a run ends: the exit code, and the one line on stderr for everything that is no error of this code."""

from __future__ import annotations

import io
import logging
import re
import sys
import threading
import warnings

import torch
import torch.distributed as dist
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities import rank_zero_only

from dsg.errors import UserError

OK, FAILED, MISTAKE, INTERRUPTED = 0, 1, 2, 130

# true, and of no use to whoever runs an evaluation
HARMLESS = (
    ".*persistent_workers=True.*",  # the data is read once
    ".*does not have many workers.*",  # a batch takes seconds to sample and milliseconds to read
    ".*LightningCLI's args parameter.*",  # the arguments are the command line's, with the includes expanded
    ".*across ranks is zero.*",  # a process may have nothing to do
    ".*AMP with fp16 is not supported on CPU.*",  # an error here
    ".*LeafSpec.*",  # of Lightning's own use of torch
    ".*'pretrained' is deprecated.*|.*weight enum.*",  # of lpips's use of torchvision
)

LOST = ("connection closed by peer", "connection reset by peer", "remote process exited")  # gloo's words, and NCCL's
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def quieten() -> None:
    """Silence Lightning's greetings, and the warnings that are known to be harmless."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in HARMLESS:
        warnings.filterwarnings("ignore", message=message)
    threading.excepthook = _thread_ended
    for stream in (sys.stdout, sys.stderr):  # where it has no sign for √ or †, as on Windows, that ends no run
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def explain(error: BaseException) -> tuple[int, str]:
    """The exit code and the line that `error` ends the run with; of an interrupted run the first process alone tells.

    Raises:
        BaseException: `error` itself, if it is an exit of the parser's, or an error of the code.
    """
    if interrupt := _interrupt(error):
        if lost := str(interrupt):  # a process of the run
            return MISTAKE, f"error: {lost}"
        said = "interrupted; finished images are kept, and the same command continues"
        return INTERRUPTED, "" if rank_zero_only.rank else said
    if user_error := _user_error(error):
        return MISTAKE, f"error: {_own_words(user_error)}"
    if missing := _not_installed(error):
        return MISTAKE, f"error: {missing}"
    if isinstance(error, MisconfigurationException):
        return MISTAKE, f"error: trainer: {flat(error)}"
    if is_out_of_memory(error):
        return (
            MISTAKE,
            "error: out of memory; finished images are kept: lower data.batch_size and run again",
        )
    if "DataLoader worker" in str(error) and isinstance(error, RuntimeError):
        return (
            MISTAKE,
            "error: a process that reads ahead is gone, perhaps for want of memory; finished images are kept: lower "
            "num_workers (of data, or of distribution) and run again",
        )
    if _lacks_float64(error):
        return (
            MISTAKE,
            "error: trainer.accelerator: mps has no float64, in which this model, method or metric computes; set "
            "trainer.accelerator to cpu",
        )
    if _is_lost(error):
        return (
            MISTAKE,
            "error: another process of this run is gone; finished images are kept, and the same command continues",
        )
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return MISTAKE, f"error: {place}{error.strerror or flat(error)}; finished images are kept, mend and run again"
    raise error


def _thread_ended(args: threading.ExceptHookArgs) -> None:
    """TensorBoard writes in a thread of its own, whose error it raises again at the next write; a line is enough."""
    if isinstance(args.exc_value, OSError):
        print(f"a file is incomplete: {flat(args.exc_value)}", file=sys.stderr)
    else:
        threading.__excepthook__(args)


def _interrupt(error: BaseException) -> KeyboardInterrupt | None:
    """Lightning turns Ctrl-C into an exit, once the callbacks have written what there is."""
    cause = error.__context__ if isinstance(error, SystemExit) else error
    return cause if isinstance(cause, KeyboardInterrupt) else None


def _user_error(error: BaseException | None) -> UserError | None:
    """The first UserError in the chain of causes: jsonargparse wraps those of an optional argument's constructor."""
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__
    return error


def _not_installed(error: BaseException | None) -> str | None:
    """What a class of Lightning's, as a logger, says that it needs; None where nothing is missing."""
    who = ""
    while error is not None:
        who = next(iter(re.findall(r"class_path '([^']+)'", str(error))), who)
        hint = re.search(r"`pip install (?:-U )?'?([^'`]+)'?`", str(error))
        if isinstance(error, ModuleNotFoundError) and hint:
            return f"{who}{': ' * bool(who)}{hint[1]} is not installed: pip install '{hint[1]}'"
        error = error.__cause__
    return None


def _own_words(error: UserError) -> str:
    """What `error` said where it was raised: a process that reads ahead sends its traceback along."""
    _, _, told = str(error).rpartition(f".{UserError.__name__}: ")
    return told.strip() or str(error)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch, or Python, found no memory for something, on whichever device."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in OUT_OF_MEMORY)


def _lacks_float64(error: BaseException) -> bool:
    said = str(error).lower()
    return isinstance(error, TypeError | RuntimeError) and "mps" in said and ("float64" in said or "double" in said)


def _is_lost(error: BaseException) -> bool:
    """Whether a collective failed, or the meeting before it, because another process had ended."""
    if isinstance(error, dist.DistNetworkError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in LOST)


def flat(error: BaseException) -> str:
    """The error's message in one line, without a full stop."""
    return " ".join(str(error).split()).rstrip(".")
