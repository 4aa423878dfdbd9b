"""The one kind of exception that is the user's to mend."""


class UserError(ValueError):
    """A mistake in the input; the message says what, where and how to mend it, in one line."""
