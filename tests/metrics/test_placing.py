"""Places, and between which these images leave a run."""

from __future__ import annotations

from dsg.metrics.direction import LESS, MORE, UNKNOWN
from dsg.metrics.per_image import per_image
from dsg.metrics.placing import Place, places
from dsg.metrics.results import Results


def run(values: dict[str, float], failed: str = "") -> Results:
    rows = [{"id": key, "sample": 0, "status": "ok", "m": value} for key, value in values.items()]
    return Results(per_image([*rows, *({"id": key, "sample": 0, "status": "failed: no"} for key in failed)]))


GOOD = run({"a": 10.0, "b": 20.0, "c": 30.0})
AS_GOOD = run({"a": 10.3, "b": 19.5, "c": 30.1})
WEAK = run({"a": 8.0, "b": 18.1, "c": 27.9})


def test_a_place_is_by_the_mean_and_its_range_by_pairs():
    found = places({"weak": WEAK, "good": GOOD, "as_good": AS_GOOD}, "m", MORE)
    assert found == {"good": Place(1, 1, 2), "as_good": Place(2, 1, 2), "weak": Place(3, 3, 3)}
    found = places({"weak": WEAK, "good": GOOD, "as_good": AS_GOOD}, "m", LESS)
    assert found == {"weak": Place(1, 1, 1), "as_good": Place(2, 2, 3), "good": Place(3, 2, 3)}
    assert places({"weak": WEAK, "good": GOOD}, "m", UNKNOWN) == {}


def test_equal_runs_share_a_place():
    again = run({"a": 10.0, "b": 20.0, "c": 30.0})
    found = places({"weak": WEAK, "good": GOOD, "again": again}, "m", MORE)
    assert found == {"good": Place(1, 1, 2), "again": Place(1, 1, 2), "weak": Place(3, 3, 3)}


def test_a_run_that_lost_an_image_comes_last_whatever_its_mean_and_is_told_from_nobody_that_it_may_be_behind():
    lucky = run({"b": 90.0, "c": 91.0}, failed="a")
    found = places({"lucky": lucky, "good": GOOD, "weak": WEAK}, "m", MORE)
    assert (found["good"].place, found["weak"].place, found["lucky"]) == (1, 2, Place(3, 1, 3))
