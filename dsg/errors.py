"""The kinds of exception that are about the input and not about this code."""


class UserError(ValueError):
    """A mistake in the input; the message says what, where and how to mend it, in one line."""


class DoesNotFit(UserError):
    """The guidance method cannot run with this task, kernel or model; a comparison may leave such a pair out."""


class UnreadableImage(Exception):
    """One image cannot be used; the message says why. It is recorded as failed and the evaluation goes on."""


def first_line(error: BaseException, longest: int = 150) -> str:
    """The first line of another library's message, for a line of ours; its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0][:longest] if lines else type(error).__name__
