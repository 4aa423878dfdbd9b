"""Tuning goes beyond the ends of its grid, as far as an equal budget lets every method go."""

import math

import pytest

from dsg.comparison.candidate import Axis, Candidate, ends, product
from dsg.comparison.grid import Cell, Grid
from dsg.comparison.plan import Comparison
from dsg.comparison.tuning import Tuning
from dsg.errors import UserError
from dsg.metrics.per_image import per_image
from dsg.metrics.results import Results

CELL = Cell("t", "m", "default")


def results(psnr, backwards):
    rows = [
        {"id": key, "sample": 0, "status": "ok", "psnr": psnr + i, "nfe_forward": 10, "nfe_backward": backwards}
        for i, key in enumerate("ab")
    ]
    return Results(per_image(rows))


@pytest.fixture
def search(tmp_path, monkeypatch):
    """Tune over a curve of PSNR against the values, without a network: `search(curve, tune, budget)` → the Tuning."""

    def searched(curve, tune, budget, backwards=10, refused=lambda _: None):
        comparison = Comparison({"t": {}}, {"m": {"tune": tune}}, ["psnr"], tuning={"metric": "psnr", "budget": budget})
        tuning = Tuning(Grid(comparison, {}, tmp_path), [CELL], refused)

        def read(folder):
            values = (pair.partition("=")[2] for pair in folder.name.split(","))
            numbers = [float(value) for value in values if value[0].isdigit()]
            return results(curve(*numbers), backwards)

        monkeypatch.setattr("dsg.comparison.tuning.read_results", read)
        tuning.check_cost(CELL)
        while tuning.widen():
            pass
        return tuning

    return searched


def peak(at):
    return lambda value: 30 - math.log(value / at) ** 2


def tried(tuning):
    return [str(candidate) for candidate in tuning.tried[CELL]]


def test_values_beyond_the_best_are_tried_until_it_lies_inside(search):
    tuning = search(peak(0.5), {"a.step": [2.0, 4.0]}, {"candidates": 9})
    assert tried(tuning) == ["step=2.0", "step=4.0", "step=1.0", "step=0.5", "step=0.25"]
    assert tuning.choose(CELL).marked == "step=0.5"
    assert tuning.choose(CELL).flags == []


def test_a_best_value_that_lies_inside_costs_no_further_candidate(search):
    assert len(search(peak(4.0), {"step": [2.0, 4.0, 8.0]}, {"candidates": 9}).tried[CELL]) == 3


def test_the_budget_ends_the_search_and_the_end_is_marked(search):
    tuning = search(peak(64.0), {"step": [2.0, 4.0]}, {"candidates": 4})
    assert tried(tuning) == ["step=2.0", "step=4.0", "step=8.0", "step=16.0"]
    assert tuning.choose(CELL).marked == "step=16.0*"
    assert "at an end of its grid" in tuning.choose(CELL).flags


@pytest.mark.parametrize(("backwards", "values"), [(10, 3), (0, 6)])
def test_a_budget_of_evaluations_lets_a_method_without_a_backward_pass_try_twice_as_many(search, backwards, values):
    tuning = search(peak(1e9), {"step": [2.0, 4.0]}, {"evaluations": 60}, backwards)
    assert len(tuning.tried[CELL]) == values


def test_in_two_keys_the_best_has_neighbours_on_both_sides_of_each(search):
    def curve(rho, mu):
        return peak(8.0)(rho) + peak(0.25)(mu)

    tuning = search(curve, {"rho": [1.0, 2.0], "mu": [1.0, 2.0]}, {"candidates": 20})
    choice = tuning.choose(CELL)
    assert choice.marked == "rho=8.0, mu=0.25"
    grid = set(tried(tuning))
    assert {"rho=4.0,mu=0.25", "rho=16.0,mu=0.25", "rho=8.0,mu=0.5", "rho=8.0,mu=0.125"} <= grid
    assert len(grid) == len(tuning.tried[CELL]) <= 20


def test_where_the_parameter_itself_ends_is_no_end_of_the_grid(search):
    tuning = search(peak(5.0), {"eta": {"values": [0.25, 0.5], "least": 0, "most": 1.0}}, {"candidates": 9})
    assert tried(tuning) == ["eta=0.25", "eta=0.5", "eta=1.0"]
    assert tuning.choose(CELL).marked == "eta=1.0"


def test_values_without_effect_are_said_to_be_and_not_searched_for(search):
    tuning = search(lambda _: 30.0, {"cutoff": [0.1, 0.2, 0.4]}, {"candidates": 9})
    assert len(tuning.tried[CELL]) == 3
    assert tuning.choose(CELL).marked == "cutoff=0.2 (without effect)"
    assert tuning.choose(CELL).flags == ["without effect"]


def test_of_equal_candidates_one_inside_is_taken(search):
    tuning = search(lambda value: 30.0 - max(value - 2.0, 0.0), {"step": [1.0, 2.0, 4.0]}, {"candidates": 3})
    assert tuning.choose(CELL).marked == "step=2.0"


def test_a_refused_candidate_closes_its_end_and_is_told_once(search):
    tuning = search(peak(64.0), {"rate": [0.5, 1.0]}, {"candidates": 9}, refused=lambda run: "must be in [0, 1]")
    assert tried(tuning) == ["rate=0.5", "rate=1.0"]
    assert tuning.notes() == ["t/m/default: nothing beyond its grid at rate=2.0: must be in [0, 1]"]
    assert tuning.choose(CELL).marked == "rate=1.0*"


def test_a_grid_that_begins_beyond_the_budget_is_refused(search):
    with pytest.raises(UserError, match="m begins with 3 candidates, 3 candidates, more than 2"):
        search(peak(1.0), {"step": [1.0, 2.0, 3.0]}, {"candidates": 2})
    with pytest.raises(UserError, match="t/m/default begins with 3 candidates, 60 evaluations, more than 50"):
        search(peak(1.0), {"step": [1.0, 2.0, 3.0]}, {"evaluations": 50})


def test_methods_may_begin_with_unequal_grids_where_a_budget_is_stated():
    methods = {"a": {"tune": {"k": [1, 2]}}, "b": {"tune": {"k": [1, 2, 3]}}}
    assert Comparison({"t": {}}, methods, ["psnr"], tuning={"metric": "psnr", "budget": {"candidates": 3}}).budget
    with pytest.raises(UserError, match=r"unequal numbers .* or state comparison.tuning.budget"):
        Comparison({"t": {}}, methods, ["psnr"], tuning={"metric": "psnr"})


@pytest.mark.parametrize("budget", [3, {}, {"images": 3}, {"candidates": 0}, {"candidates": 3, "evaluations": 4}])
def test_a_budget_is_a_number_of_candidates_or_of_evaluations(budget):
    with pytest.raises(UserError, match=r"comparison.tuning.budget: must be `candidates: N`"):
        Comparison({"t": {}}, {"m": {"tune": {"k": [1]}}}, ["psnr"], tuning={"metric": "psnr", "budget": budget})


@pytest.mark.parametrize(
    ("tune", "said"),
    [
        ({"k": 3}, r"must be \[values\], or values, least and most"),
        ({"k": {"values": [1], "max": 3}}, "k.max: no such key"),
        ({"k": {"values": ["a"], "most": 3}}, "limits of numbers"),
        ({"k": {"values": [1.0, 2.0], "most": 1.5}}, "2.0 is beyond its own limit, 1.5"),
        ({"k": [4, 4.0]}, "holds a value twice"),
        ({"k": ["a", "b", "a"]}, "holds a value twice"),
        ([], "must hold `dotted.key"),
    ],
)
def test_a_mistake_in_what_is_tuned_names_its_key(tune, said):
    with pytest.raises(UserError, match=rf"comparison.methods.m.tune.*{said}"):
        Comparison({"t": {}}, {"m": {"tune": tune}}, ["psnr"], tuning={"metric": "psnr"})


@pytest.mark.parametrize(
    ("values", "upwards", "expected"),
    [
        ([2.0, 4.0], True, 8.0),
        ([2.0, 4.0], False, 1.0),
        ([1.0, 3.0, 10.0], True, 33.3),
        ([0.0, 0.5, 1.0], True, 2.0),
        ([0.0, 0.5], False, -0.5),
        ([3.0], True, 6.0),
        ([3.0], False, 1.5),
        ([0.0], True, None),
        ([10, 20], True, 40),
        ([1, 2], False, 0.5),
        ([1, 2], True, 4),
    ],
)
def test_the_next_value_keeps_the_spacing_of_the_last_two(values, upwards, expected):
    assert Axis("k", tuple(values)).beyond(values, upwards) == expected


def test_a_number_that_yaml_takes_for_a_text_is_a_number(search):
    tuning = search(peak(1.0), {"step": ["1e-2", "1e-1"]}, {"candidates": 9})
    assert tuning.choose(CELL).marked == "step=1.0"


def test_a_candidate_that_failed_costs_what_another_did_and_ends_no_search(search, monkeypatch):
    failed = Results(per_image([{"id": "a", "sample": 0, "status": "failed: the sample is not finite"}]))
    good = results

    def broken_at_2(psnr, backwards):
        return failed if psnr == peak(64.0)(2.0) else good(psnr, backwards)

    monkeypatch.setitem(globals(), "results", broken_at_2)
    tuning = search(peak(64.0), {"step": [2.0, 4.0]}, {"evaluations": 80}, backwards=10)
    assert tried(tuning) == ["step=2.0", "step=4.0", "step=8.0", "step=16.0"]


def test_classes_are_chosen_among_and_named_by_their_own_name(search):
    rules = [{"class_path": "m.Constant"}, {"class_path": "m.OverLoss", "init_args": {"floor": 1}}]
    tuning = search(lambda *_: 30.0, {"rule": rules, "step": [1.0]}, {"candidates": 2})
    assert tried(tuning) == ["rule=Constant,step=1.0", "rule=OverLoss(floor=1),step=1.0"]
    assert len(set(tuning.tried[CELL])) == 2


def test_words_have_no_ends():
    axes = [Axis("k", ("a", "b"))]
    assert ends(Candidate((("k", "a"),)), product(axes), axes) == []


def test_a_task_may_have_metrics_of_its_own_and_be_tuned_by_one_of_them(tmp_path):
    comparison = Comparison(
        {"faces": {"metrics": ["judge_identity_similarity", "fid_clean"], "model": {"steps": 3}}, "blur": {}},
        {"m": {"tune": {"step": [1.0, 2.0]}}}, ["psnr", "fid_clean"], optional_metrics=["fid_clean"],
        tuning={"metric": {"faces": "judge_identity_similarity", "blur": "psnr"}},
    )  # fmt: skip
    assert comparison.metrics_of("faces") == ["judge_identity_similarity", "fid_clean", "psnr"]
    assert comparison.all_metrics == ["judge_identity_similarity", "fid_clean", "psnr"]
    grid = Grid(comparison, {}, tmp_path)
    candidate = grid.candidates("m")[0]
    runs = {task: Cell(task, "m", "default") for task in comparison.tasks}
    assert grid.tuning(runs["faces"], candidate).needed == ["judge_identity_similarity"]
    assert grid.tuning(runs["blur"], candidate).needed == ["psnr"]
    assert grid.evaluation(runs["faces"], candidate).needed == ["judge_identity_similarity", "psnr"]
    assert grid.evaluation(runs["faces"], candidate).settings == {"model": {"steps": 3}, "step": 1.0}


@pytest.mark.parametrize(
    ("tasks", "metric", "said"),
    [
        ({"a": {}, "b": {}}, {"a": "psnr"}, "comparison.tuning: .*of every task"),
        ({"a": {"metrics": "psnr"}}, "psnr", "comparison.tasks.a.metrics: must be a list of metrics"),
        ({"a": {"metrics": ["beauty"]}}, "psnr", "is more of beauty better"),
        ({"a": {}}, {"a": "beauty"}, "is more of beauty better"),
    ],
)
def test_a_mistake_in_the_metrics_of_a_task_is_one_line(tasks, metric, said):
    with pytest.raises(UserError, match=said):
        Comparison(tasks, {"m": {"tune": {"a.b": [1, 2]}}}, ["psnr"], tuning={"metric": metric})


def test_a_candidate_of_which_a_sample_failed_is_not_chosen_however_good_the_rest(search, monkeypatch):
    whole = results

    def lossy(psnr, backwards):
        if psnr != 30.0:
            return whole(psnr, backwards)
        measured = {"id": "a", "sample": 0, "status": "ok", "psnr": psnr, "nfe_forward": 10, "nfe_backward": backwards}
        return Results(per_image([measured, {"id": "b", "sample": 0, "status": "failed: the sample is not finite"}]))

    monkeypatch.setitem(globals(), "results", lossy)
    tuning = search(peak(4.0), {"step": [2.0, 4.0]}, {"candidates": 2})
    assert tuning.choose(CELL).marked == "step=2.0*"
