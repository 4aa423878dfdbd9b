"""The parser of a subcommand that is not Lightning's."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from dsg.command.exit_codes import MISTAKE


class SubcommandParser(argparse.ArgumentParser):
    """Whose mistakes are one line, and end with the code of a mistake.

    Args:
        name: of the subcommand.
        description: with its line breaks.
        epilog: likewise.
    """

    def __init__(self, name: str, description: str, epilog: str | None = None) -> None:
        super().__init__(
            f"train_free_eval.py {name}",
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self._name = name

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"error: {message}; {self._name} --help lists the options\n")
        self.exit(MISTAKE)
