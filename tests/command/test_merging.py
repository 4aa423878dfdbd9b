"""One rule of what overrides what, for files, entries of a comparison and options."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from dsg.command.config import resolve
from dsg.command.files import read
from dsg.command.merge import merge
from dsg.command.options import with_options
from dsg.errors import UserError


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Files in the current folder: `write(name="text")`."""
    monkeypatch.chdir(tmp_path)

    def files(**texts: str) -> None:
        for name, text in texts.items():
            Path(f"{name}.yaml").write_text(text)

    return files


def text(*arguments: str) -> dict:
    """The configuration that the parser is handed."""
    found = resolve(["predict", *arguments]).arguments
    assert found.count("--config") == 1
    return yaml.safe_load(found[found.index("--config") + 1])


def test_another_class_replaces_the_one_before_with_its_arguments():
    base = {"guidance": {"class_path": "A", "init_args": {"a": 1, "c": 2}}, "steps": 3}
    assert merge(base, {"guidance": {"class_path": "B", "init_args": {"c": 4}}}) == {
        "guidance": {"class_path": "B", "init_args": {"c": 4}},
        "steps": 3,
    }
    assert merge(base, {"guidance": {"init_args": {"c": 4}}})["guidance"]["init_args"] == {"a": 1, "c": 4}
    assert merge(base, {"guidance": {"class_path": "x.A"}})["guidance"]["init_args"] == {"a": 1, "c": 2}


def test_mappings_merge_key_by_key_and_lists_are_replaced_whole():
    base = {"a": {"x": [1, 2], "y": 1}}
    assert merge(base, {"a": {"x": [3]}}) == {"a": {"x": [3], "y": 1}}
    assert base == {"a": {"x": [1, 2], "y": 1}}


def test_a_file_overrides_what_it_includes_and_the_later_file_of_the_command_line_the_earlier(write):
    write(base="{steps: 1, seed: 1}", one="include: [base.yaml]\nsteps: 2", two="include: [base.yaml]\nname: two")
    assert read(["one.yaml"]) == {"steps": 2, "seed": 1}
    assert read(["one.yaml", "two.yaml"]) == {"steps": 2, "seed": 1, "name": "two"}  # base lies below both
    assert read(["one.yaml", "base.yaml"]) == {"steps": 1, "seed": 1}  # unless it is asked for


@pytest.mark.parametrize("order", ["[base.yaml, over.yaml]", "[over.yaml, base.yaml]", "[over.yaml, other.yaml]"])
def test_the_order_of_an_include_list_means_nothing(write, order):
    write(base="steps: 1", over="include: [base.yaml]\nsteps: 2", other="include: [base.yaml]\nseed: 1")
    write(all=f"include: {order}\nname: all")
    assert read(["all.yaml"])["steps"] == 2


def test_files_that_contradict_each_other_without_an_order_are_refused_in_one_line(write):
    write(one="model: {steps: 3, seed: 0}", two="model: {steps: 4, seed: 0}", both="include: [one.yaml, two.yaml]")
    with pytest.raises(UserError) as error:
        read(["both.yaml"])
    assert str(error.value) == (
        "include: one.yaml sets model.steps to 3 and two.yaml to 4, and neither includes the other; set it in "
        "both.yaml, or give one of the two its own --config"
    )
    assert read(["one.yaml", "two.yaml"])["model"]["steps"] == 4  # the command line's have an order


@pytest.mark.parametrize(
    "deciding",
    [
        "include: [one.yaml, two.yaml]\nmodel: {guidance: {class_path: C}}",
        "include: [one.yaml, two.yaml]\nmodel: {guidance: {class_path: A, init_args: {rate: 3}}}",
        "include: [above.yaml]",
    ],
)
def test_a_file_that_includes_both_decides(write, deciding):
    write(one="model: {guidance: {class_path: A, init_args: {rate: 1}}}")
    write(two="model: {guidance: {class_path: B, init_args: {rate: 2}}}")
    write(above="include: [two.yaml, one.yaml]\nmodel: {guidance: {class_path: B, init_args: {rate: 2}}}", top=deciding)
    assert read(["top.yaml"])["model"]["guidance"]["class_path"] in deciding + "B"


def test_nothing_and_a_class_contradict_each_other(write):
    write(one="{combiner: null}", two="{combiner: {class_path: A}}", both="include: [one.yaml, two.yaml]")
    with pytest.raises(
        UserError, match=re.escape("one.yaml sets combiner to None and two.yaml to settings, and neither")
    ):
        read(["both.yaml"])
    write(decided="include: [one.yaml, two.yaml]\ncombiner: null")
    assert read(["decided.yaml"]) == {"combiner": None}


def test_a_contradiction_deep_inside_is_found_from_the_top(write):
    write(one="{a: 1}", two="{a: 2}", left="include: [one.yaml]", right="include: [two.yaml]")
    write(top="include: [left.yaml, right.yaml]")
    with pytest.raises(UserError, match=re.escape("one.yaml sets a to 1 and two.yaml to 2")):
        read(["top.yaml"])


def test_the_parser_is_handed_one_configuration_and_the_options_behind_it(write):
    write(one="model: {steps: 1, seed: 1}", two="model: {steps: 2}")
    found = resolve(["predict", "--model.seed", "5", "--config=one.yaml", "--run_dir", "x", "-c", "two.yaml"])
    assert yaml.safe_load(found.arguments[2]) == {"model": {"steps": 2, "seed": 1}}
    assert (found.arguments[:2], found.arguments[3:]) == (
        ["predict", "--config"],
        ["--model.seed", "5", "--run_dir", "x"],
    )


def test_what_is_no_subcommand_is_left_to_the_parser():
    assert resolve(["--help"]).arguments == ["--help"]
    assert resolve([]).arguments == []


def test_an_option_is_read_as_a_file_would_say_it():
    settings = {"model": {"guidance": {"class_path": "DSG", "init_args": {"rate": 0.1, "base": {"class_path": "DPS"}}}}}
    found = with_options(
        settings, ["--model.guidance.rate", "0.2", "--model.guidance.base.step=3", "--fresh", "--x", "-1"]
    )
    assert found["x"] == -1
    assert found["model"]["guidance"] == {
        "class_path": "DSG",
        "init_args": {"rate": 0.2, "base": {"class_path": "DPS", "init_args": {"step": 3}}},
    }
    found = with_options({}, ["--model.guidance", "x.DPS", "--model.guidance.step", "2"])
    assert found["model"]["guidance"] == {"class_path": "x.DPS", "init_args": {"step": 2}}
    found = with_options(settings, ["--model.guidance", '{"class_path": "MPGD", "init_args": {"step": 1}}'])
    assert found["model"]["guidance"] == {"class_path": "MPGD", "init_args": {"step": 1}}


@pytest.mark.parametrize("option", ["--model.guidance", "--model.guidance.class_path"])
def test_a_class_that_an_option_names_drops_the_arguments_of_the_one_before(write, option):
    write(one="model: {guidance: {class_path: dsg.guidance.FreeDoM, init_args: {step_size: 8.0}}, steps: 2}")
    assert text("--config", "one.yaml", option, "dsg.guidance.DPS")["model"] == {
        "guidance": {"class_path": "dsg.guidance.DPS"},
        "steps": 2,
    }
    assert text("--config", "one.yaml", option, "dsg.guidance.FreeDoM")["model"]["guidance"]["init_args"]


def test_callbacks_merge_by_name_and_null_takes_one_away(write):
    write(
        one="callbacks: {a: {class_path: x.A}, b: {class_path: x.B}}", two="include: [one.yaml]\ncallbacks: {a: null}"
    )
    assert text("--config", "two.yaml") == {"callbacks": {"b": {"class_path": "x.B"}}}
    found = resolve(["predict", "--config", "two.yaml", "--callbacks.c", "x.C", "--callbacks.b.n", "3"])
    assert found.callbacks == ["b", "c"]
    found = resolve(["predict", "--config", "two.yaml", "--callbacks.b", "null", "--run_dir", "x"])
    assert (found.callbacks, found.arguments) == ([], ["predict", "--run_dir", "x"])
    write(three="include: [one.yaml]\nseed: 1\ncallbacks: null")
    assert text("--config", "three.yaml") == {"seed": 1}
