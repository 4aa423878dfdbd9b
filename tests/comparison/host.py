"""A host of a comparison as a script: how far it is from the others, and then the command line's arguments.

near    a process of the same machine, whose end is seen at once
far     one of another machine, of which nothing is known but its files; it beats fast, so that trials are short
"""

from __future__ import annotations

import sys

BEAT, PATIENCE = 0.5, 10
"""Of far hosts: five seconds of silence."""


def main(distance: str, arguments: list[str]) -> int:
    from dsg.comparison import hosts
    from dsg.run_folder import others, presence, who
    from train_free_eval import main

    if distance == "far":
        presence.BEAT = BEAT
        others.PATIENCE = presence.PATIENCE = hosts.PATIENCE = PATIENCE
        name = f"machine {who.secrets.token_hex(4)}"
        who._machine = lambda: name  # type: ignore[assignment]
    return main(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
