"""A published pickle as plain files, from which nothing could be run.

python -m dsg.models.edm.convert FILE.pkl FOLDER

FOLDER gets `config.json`, with the constructor's arguments and what the file says of its encoder, and
`weights.safetensors`, the tensors under their own names and in their own precision.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from safetensors.torch import save_file

from dsg.errors import UserError
from dsg.models.edm.build import build
from dsg.models.edm.stored import CONFIG, WEIGHTS, read_network


def convert(pickled: str | Path, folder: str | Path) -> None:
    """Write what a network is made of to `folder`, which is created.

    Raises:
        UserError: as `read_network`, if the network is unknown, or the folder holds such files already.
    """
    stored, folder = read_network(pickled), Path(folder).expanduser()
    build(stored.class_name, stored.arguments, stored.options, f"checkpoint {pickled}")
    if taken := [file for file in (folder / CONFIG, folder / WEIGHTS) if file.exists()]:
        raise UserError(f"{taken[0]} exists; name another folder")
    config = {
        "class_name": stored.class_name,
        "init_args": list(stored.arguments),
        "init_kwargs": stored.options,
        **({"encoder": stored.encoder} if stored.encoder else {}),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        # tensors of one storage are told apart, and in memory of their own
        save_file({name: tensor.clone().contiguous() for name, tensor in stored.tensors.items()}, folder / WEIGHTS)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); name another folder") from error


def main(args: list[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0 written, 2 an unusable file."""
    parser = argparse.ArgumentParser(
        prog="python -m dsg.models.edm.convert",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="FILE.pkl", help="as published")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where both files go")
    options = parser.parse_args(args)
    try:
        convert(options.file, options.folder)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
