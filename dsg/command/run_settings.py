"""The record of which settings made a run folder."""

from __future__ import annotations

import json
from typing import Any

from jsonargparse import ArgumentParser, Namespace

# what no sample and no row depends on
IGNORED = ("progress", "diagnostics", "timing", "distribution", "diversity", "watch", "provenance")
IGNORED += ("data.init_args.batch_size", "data.init_args.num_workers")
# what no sample depends on, but the summary
NOTED = ("data.init_args.limit", "data.init_args.first", "data.init_args.spread")
NOTED += ("callbacks.classification.init_args.twin",)


def run_settings(parser: ArgumentParser, config: Namespace) -> tuple[dict[str, Any], list[str], tuple[str, ...], bool]:
    """What `RunFolder.open` asks for, in its order."""
    settings = json.loads(parser.dump(config, format="json", skip_unset=False))["predict"]
    for name in ("config", "strengths", "run_dir", "fresh", "seed_everything"):
        settings.pop(name, None)
    trainer = [f"trainer.{name}" for name in settings["trainer"] if name != "precision"]
    return settings, [*IGNORED, *trainer], NOTED, config.predict.fresh
