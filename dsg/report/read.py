"""Reads run folders, whether or not the runs have ended."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dsg import yaml_text
from dsg.errors import UserError
from dsg.metrics.direction import SCORES
from dsg.metrics.per_image import COSTS, PerImage, per_image
from dsg.metrics.results import Results
from dsg.metrics.summary_shape import summary_of
from dsg.report.evaluated_run import LAST, EvaluatedRun
from dsg.report.truth import compared_with, open_data
from dsg.run_folder.folder import METRICS, RunFolder
from dsg.run_folder.provenance import differences, in_words
from dsg.run_folder.settings import SETTINGS, head, measures_with_noise
from dsg.run_folder.trace_file import Trace

UNFINISHED = "the run has not ended: the numbers are of the samples that are finished"


def read_runs(paths: Sequence[Path], trusted: Sequence[str] = ()) -> list[EvaluatedRun]:
    """Read every run, in the order given.

    Args:
        paths: of run folders.
        trusted: modules besides the library whose classes may be imported where a run folder names them.

    Raises:
        UserError: for a path that is no run folder or is damaged, and for one that is given twice.
    """
    resolved = [path.resolve() for path in paths]
    for i, path in enumerate(resolved):
        if path in resolved[:i]:
            raise UserError(f"report: {paths[i]} is given twice; name every run folder once")
    common = os.path.commonpath([path.parent for path in resolved])
    names = [path.relative_to(common).as_posix() for path in resolved]
    return [_read(path, name, trusted) for path, name in zip(paths, names, strict=True)]


def _read(path: Path, name: str, trusted: Sequence[str]) -> EvaluatedRun:
    folder = RunFolder(path)
    settings, comments = _settings(path)
    rows, found = _rows(folder)
    summary, notes = _summary(folder, rows)
    overall = summary.get("metrics", {})
    noisy = "residual" in found.samples or measures_with_noise(settings)
    starts, unrecorded = folder.provenance.made_all(rows), folder.provenance.unrecorded(rows)
    results = Results(found, overall, summary.get("unavailable", {}), noisy, starts, unrecorded)
    measured = [*found.values, *(key for key in overall if key not in found.values)]
    good = sorted((key for key in measured if key not in (*COSTS, *LAST)), key=lambda key: not _judged(key))
    metrics = good + [key for key in LAST if key in found.values]
    notes += [f"{count} values of {key} are not finite and not averaged in" for key, count in found.not_finite.items()]
    data, no_data = None, ""
    try:
        data = open_data(settings, trusted)
        if missing := len(set(data.keys()) - {(row["id"], row["sample"]) for row in rows}):
            notes.append(f"{missing} of its {len(data.keys())} samples have not been tried yet")
    except UserError as reason:
        no_data = str(reason)
    timing = summary.get("timing", {})
    notes += _not_alike(results)
    trace = None
    try:
        trace = Trace.read(path)
    except UserError as reason:
        notes.append(f"{reason}: what happened along the trajectories is not shown")
    return EvaluatedRun(name, folder, settings, comments, rows, results, metrics, timing, notes, data, no_data,
                        *compared_with(settings, trusted, data), trace)  # fmt: skip


def _judged(metric: str) -> bool:
    """Whether it is a judge's score, by which pictures are better chosen than by what they were made to satisfy."""
    return metric.startswith("judge_") and metric.endswith(SCORES)


def _not_alike(results: Results) -> list[str]:
    """Whether its starts differ; a run of before starts were recorded has none."""
    notes = []
    if changed := differences(results.starts):
        notes.append(f"its starts were not made alike: {in_words(changed)}")
    if results.starts and results.unrecorded:
        notes.append(f"what made {results.unrecorded} of its samples is not recorded")
    return notes


def _rows(folder: RunFolder) -> tuple[list[dict[str, Any]], PerImage]:
    """The rows of the journal, and what they say of each image."""
    try:
        rows = folder.rows()
        return rows, per_image(rows)
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"report: cannot read {error.filename}: {error.strerror}; make it readable") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"report: {folder.path}/rows holds a line that is no row of a run; take it away, and continue the run"
        ) from error


def _settings(path: Path) -> tuple[dict[str, Any], list[str]]:
    """config.yaml and the comment lines in its head."""
    file = path / SETTINGS
    try:
        if not file.is_file():
            raise UserError(f"report: {path} is no run folder, it has no {SETTINGS}{_suggestion(path)}")
        text = file.read_text(encoding="utf-8")
        settings = yaml_text.load(text)
    except OSError as error:
        raise UserError(f"report: cannot read {file}: {error.strerror}; make it readable") from error
    except (yaml_text.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"report: {file} is damaged; restore it, or leave this run out") from error
    if not isinstance(settings, dict):
        raise UserError(f"report: {file} holds no settings; restore it, or leave this run out")
    return settings, [line.removeprefix("#").strip() for line in head(text).splitlines()]


def _suggestion(path: Path) -> str:
    if not path.exists():
        return "; there is no such folder"
    below = sorted(file.parent for file in path.glob("*/" + SETTINGS))
    return f"; did you mean {' '.join(map(str, below[:3]))}{' ...' * (len(below) > 3)}?" if below else (
        "; give the --run_dir of a run"
    )  # fmt: skip


def _summary(folder: RunFolder, rows: list[dict[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """metrics.json, as far as it can be trusted, and what there is to say about it."""
    file = folder.path / METRICS
    if not rows:
        return {}, ["no sample is finished yet"]
    try:
        summary = summary_of(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}, [UNFINISHED]
    except OSError as error:
        return {}, [f"{METRICS} cannot be read ({error.strerror}): unavailable metrics are not known"]
    except (ValueError, RecursionError):
        return {}, [f"{METRICS} is damaged: the numbers are those of the rows; unavailable metrics are not known"]
    if not folder.is_finished():
        return {key: summary.get(key, {}) for key in ("unavailable", "timing")}, [UNFINISHED]
    return summary, [str(warning) for warning in summary.get("warnings", [])]
