"""What a command line, or a file, says of the method that takes part."""

from __future__ import annotations

import pytest
import yaml

from dsg.bench.entrant import entrant_from_outside, own_entrants
from dsg.bench.suite import read_suite
from dsg.errors import UserError

STEP_SIZE = "model.guidance.init_args.step_size"


def test_options_and_values_to_choose_from_hold_in_every_chapter_but_for_what_is_said_of_one(suite):
    options = ["--model.guidance.t_low", "0.1"]
    tune = ["step_size=[1, 2]", "noise:step_size=[3]"]
    made = read_suite(str(suite)), "dsg.guidance.DPS", "mine"
    found = entrant_from_outside(*made, tune, options, "")
    assert found == entrant_from_outside(*made, tune[::-1], options, "")
    guidance = {"guidance": {"class_path": "dsg.guidance.DPS", "init_args": {"t_low": 0.1}}}
    assert found.states["holes"] == {"model": guidance, "tune": {STEP_SIZE: [1, 2]}}
    assert found.states["noise"] == {"model": guidance, "tune": {STEP_SIZE: [3]}}
    assert found.about.startswith("Chung et al.")


@pytest.mark.parametrize("key", ["model.steps", "model.seed", "data.init_args.limit", "model.kernelx.eta"])
def test_what_is_the_suites_may_not_be_tuned(suite, tmp_path, key):
    suite = read_suite(str(suite))
    with pytest.raises(UserError, match=f"{key} is the suite's; a method states model.guidance"):
        entrant_from_outside(suite, "dsg.guidance.DPS", None, [f"{key}=[1, 2]"], [], "")
    file = tmp_path / "mine.yaml"
    model = {"guidance": {"class_path": "dsg.guidance.DPS"}}
    file.write_text(yaml.safe_dump({"model": model, "tune": {key: [1, 2]}}))
    with pytest.raises(UserError, match=f"{key} is the suite's"):
        entrant_from_outside(suite, str(file), None, [], [], "")
    file.write_text(yaml.safe_dump({"model": model, "chapters": {"noise": {key.split(".")[0]: {"steps": 1}}}}))
    with pytest.raises(UserError, match="is the suite's"):
        entrant_from_outside(suite, str(file), None, [], [], "")


def test_of_a_file_the_method_counts_and_what_else_an_experiment_says_is_the_suites(suite, tmp_path):
    file = tmp_path / "renoised.yaml"
    model = {"guidance": {"class_path": "dsg.guidance.DPS"}, "steps": 7, "seed": 3}
    chapters = {"noise": {"tune": {STEP_SIZE: [5.0]}}}
    content = {"model": model, "data": {"limit": 1}, "tune": {STEP_SIZE: [1.0, 2.0]}, "chapters": chapters}
    file.write_text(yaml.safe_dump(content))
    found = entrant_from_outside(read_suite(str(suite)), str(file), None, [], [], "https://example.org")
    assert (found.name, found.link, found.class_path) == ("renoised", "https://example.org", "dsg.guidance.DPS")
    assert found.states["holes"] == {"model": {"guidance": model["guidance"]}, "tune": {STEP_SIZE: [1.0, 2.0]}}
    assert found.states["noise"]["tune"] == {STEP_SIZE: [5.0]}


def test_a_method_of_the_suites_own_is_tuned_as_each_chapter_says():
    small = read_suite("small")
    (found,) = own_entrants(small, ["daps"])
    assert set(found.states) == {"posterior", "linear", "nonlinear", "networks", "latent"}
    spreads = {name: states["tune"]["model.guidance.init_args.spread"] for name, states in found.states.items()}
    assert spreads["posterior"] != spreads["linear"]
