"""Records of EDM are told by their content, and every number is within the tolerance that it was recorded with."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import save_file

from dsg.replay.__main__ import main
from dsg.replay.edm.compare import compare, records_at
from dsg.replay.record import read_record

DATA = Path(__file__).parents[1] / "data" / "edm"
TRAJECTORIES = sorted((DATA / "trajectories").glob("*.safetensors"))
RECORDS = [DATA / "edm2_cond", DATA / "edm2_guide_uncond", DATA / "layers", *TRAJECTORIES]


def test_a_folder_of_records_is_all_of_them():
    assert records_at(DATA) == RECORDS
    assert records_at(DATA / "trajectories") == TRAJECTORIES
    assert records_at(DATA.parent / "golden") == []


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_every_number_is_within_the_recorded_tolerance(path):
    rows = compare(path)
    assert {row.what for row in rows if not row.passes()} == set()
    assert len(rows) == {"edm2_cond": 5, "edm2_guide_uncond": 4, "layers": 32, "mixture_heun_ode": 10}.get(path.stem, 8)


def test_the_table_shows_each_deviation_beside_its_tolerance(capsys):
    assert main([str(DATA / "edm2_cond"), str(TRAJECTORIES[-1])]) == 0
    printed = capsys.readouterr().out
    for word in ("D_nolabel", "vjp", "logvar", "5e-05", "free run", "1e-10"):
        assert word in printed
    assert main([str(DATA / "edm2_cond"), "--tolerance", "1e-12"]) == 1
    assert "!" in capsys.readouterr().out


def _altered(
    tmp_path: Path, name: str, metadata: dict[str, str] | None = None, without: str = "", scaled: str = ""
) -> Path:
    """A copy of a trajectory with its networks beside it."""
    tensors, meta = read_record(DATA / "trajectories" / f"{name}.safetensors")
    tensors.pop(without, None)
    if scaled:
        tensors[scaled] = tensors[scaled] * 1.01
    (tmp_path / "trajectories").mkdir()
    save_file(tensors, tmp_path / "trajectories" / "altered.safetensors", meta | (metadata or {}))
    for network in ("edm2_cond", "edm2_guide_uncond"):
        shutil.copytree(DATA / network, tmp_path / network)
    return tmp_path / "trajectories" / "altered.safetensors"


@pytest.mark.parametrize(
    ("metadata", "scaled"),
    [({"S_noise": "1"}, ""), ({"S_churn": "2"}, ""), ({"guidance": "1.9"}, ""), ({"rho": "6"}, ""), ({}, "noise")],
)
def test_a_run_by_other_options_is_beyond_the_tolerance(tmp_path, metadata, scaled):
    assert main([str(_altered(tmp_path, "edm2_mixture_guided", metadata, scaled=scaled))]) == 1


def test_a_network_that_differs_in_one_weight_is_beyond_the_tolerance(tmp_path):
    folder = shutil.copytree(DATA / "edm2_guide_uncond", tmp_path / "network")
    tensors, _ = read_record(folder / "weights.safetensors")
    tensors["unet.out_gain"] += 1e-3
    save_file(tensors, folder / "weights.safetensors")
    assert main([str(folder)]) == 1


@pytest.mark.parametrize(
    ("metadata", "without", "said"),
    [
        ({"network": "absent"}, "", "its network absent is neither"),
        ({"guide": "absent"}, "", "its network absent is neither"),
        ({"num_steps": "many"}, "", "altered.safetensors"),
        ({"num_steps": "5"}, "", "x is (7, 1, 4, 16, 16), expected (6, 1, 4, 16, 16)"),
        ({"S_noise": "0"}, "", "S_noise must be above 0"),
        ({}, "x", "'x' is missing"),
        ({}, "sigma_hat", "'sigma_hat' is missing"),
        ({}, "noise", "no further noise for churn"),
        ({}, "labels", "needs class labels"),
    ],
)
def test_a_trajectory_that_cannot_be_taken_again_exits_with_two_and_says_why(tmp_path, capsys, metadata, without, said):
    assert main([str(_altered(tmp_path, "edm2_autoguidance_churn", metadata, without))]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "metadata", "without"),
    [("edm2_conv", {"class_name": "Unheard"}, ""), ("edm2_conv", {"kwargs": "{half"}, ""), ("edm2_conv", {}, "out"),
     ("edm2_conv", {"kwargs": '{"in_channels": 5}'}, ""), ("edm_conv_up_11", {}, "weights.bias")],
)  # fmt: skip
def test_a_layer_that_cannot_be_made_exits_with_two(tmp_path, capsys, name, metadata, without):
    tensors, meta = read_record(DATA / "layers" / f"{name}.safetensors")
    tensors.pop(without, None)
    save_file(tensors, tmp_path / "layer.safetensors", meta | metadata)
    assert main([str(tmp_path / "layer.safetensors")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_network_whose_outputs_are_not_there_exits_with_two(tmp_path, capsys):
    folder = shutil.copytree(DATA / "edm2_guide_uncond", tmp_path / "network")
    tensors, meta = read_record(folder / "forward.safetensors")
    save_file({"x": tensors["x"]}, folder / "forward.safetensors", meta)
    assert main([str(folder)]) == 2
    assert "is missing" in capsys.readouterr().err
    (folder / "config.json").write_text(json.dumps({"class_name": "Unheard", "init_kwargs": {}}))
    assert main([str(folder)]) == 2
    assert "no network that is known" in capsys.readouterr().err
