"""What a run kept of its trajectories: of each measure, how the samples are distributed at every step."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dsg.errors import UserError
from dsg.run_folder.atomic import write_atomically

TRACE = "trace.json"
MOST_STEPS = 100_000  # of a file that is believed
Numbers = Sequence[float | None]
"""One a step, noisiest first; None where no sample has the measure."""


@dataclass(frozen=True)
class Curve:
    """One measure against the step: its words, its mean, and its 10th, 50th and 90th percentile over samples."""

    title: str
    mean: Numbers
    p10: Numbers
    p50: Numbers
    p90: Numbers


@dataclass(frozen=True)
class Trace:
    """The measures of a run.

    Args:
        samples: over how many.
        measures: by name, all of the same number of steps.
    """

    samples: int
    measures: Mapping[str, Curve]

    @property
    def steps(self) -> int:
        return max((len(curve.p50) for curve in self.measures.values()), default=0)

    def write(self, folder: Path) -> None:
        """Put it into a run folder, as trace.json, in place of an older one.

        Raises:
            UserError: if the folder cannot be written or the disk is full.
        """
        write_atomically(folder / TRACE, (json.dumps(asdict(self)) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> Trace | None:
        """That of a run folder; None where it has none.

        Raises:
            UserError: if it is damaged or cannot be read.
        """
        file = folder / TRACE
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
            trace = cls(int(found["samples"]), {str(k): _curve(part) for k, part in found["measures"].items()})
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UserError(f"{TRACE} cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise UserError(f"{TRACE} is damaged") from error
        if len({len(curve.p50) for curve in trace.measures.values()}) > 1:
            raise UserError(f"{TRACE} is damaged")
        return trace


def samples_kept(folder: Path) -> int:
    """Over how many samples earlier starts of the run kept a trace; 0 for none, and for a damaged one."""
    try:
        trace = Trace.read(folder)
    except UserError:
        return 0
    return 0 if trace is None else trace.samples


def _curve(found: Mapping[str, Any]) -> Curve:
    """Raises ValueError, TypeError, KeyError or OverflowError for what is none."""
    columns = {name: [_number(value) for value in found[name]] for name in ("mean", "p10", "p50", "p90")}
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1 or max(lengths) > MOST_STEPS:
        raise ValueError("columns of different lengths")
    return Curve(str(found["title"]), **columns)


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("no number")
    return float(value)
