"""The kinds of exception that are about the input and not about this code."""

from collections.abc import Iterator
from contextlib import contextmanager

DISTRIBUTIONS = {"PIL": "pillow", "cleanfid": "clean-fid", "yaml": "pyyaml"}
"""What libraries are called where they are installed from, if not as where they are imported."""


class UserError(ValueError):
    """A mistake in the input; the message says what, where and how to mend it, in one line."""


class DoesNotFit(UserError):
    """The guidance method cannot run with this task, kernel or model; a comparison may leave such a pair out."""


class NotInstalled(UserError, ImportError):
    """A library that not everybody needs is missing; the message says what needs it, and how to get it."""


@contextmanager
def installed(library: str, what: str) -> Iterator[None]:
    """Around the import of a `library` that the sampling loop does without.

    Args:
        library: by the name that it is imported by.
        what: what needs it, for the message.

    Raises:
        NotInstalled: if it is missing. Another module that it looks for in vain is its own affair.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != library:
            raise
        raise NotInstalled(f"{what} needs {library}, which is not installed: {how_to_install(library)}") from error


def how_to_install(library: str) -> str:
    """`pip install clean-fid`, of `cleanfid`."""
    return f"pip install {DISTRIBUTIONS.get(library, library)}"


class UnreadableImage(Exception):
    """One image cannot be used; the message says why. It is recorded as failed and the evaluation goes on."""


def first_line(error: BaseException, longest: int = 150) -> str:
    """The first line of another library's message, for a line of ours; its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0][:longest] if lines else type(error).__name__
