import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dsg.replay.__main__ import main
from dsg.replay.deviations import drift, network_deviations, step_deviations
from dsg.replay.record import read_record, read_trajectory

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
NETWORK = GOLDEN / "adm_ffhq_style"
TRAJECTORIES = sorted(GOLDEN.glob("*.safetensors"))


@pytest.mark.parametrize("path", TRAJECTORIES, ids=lambda p: p.stem)
def test_every_recorded_step_is_reproduced_within_a_thousandth(path):
    """Two images in one batch, against a record of two runs of one image each."""
    deviations = [deviation for _, deviation in step_deviations(read_trajectory(path, NETWORK))]
    assert len(deviations) == 10
    assert max(deviations) < 1e-3


@pytest.mark.parametrize("path", [p for p in TRAJECTORIES if "inpainting" not in p.stem], ids=lambda p: p.stem)
def test_a_free_run_stays_within_a_thousandth_where_rounding_is_not_amplified(path):
    assert max(drift(read_trajectory(path, NETWORK))) < 1e-3


@pytest.mark.parametrize("folder", ["adm_ffhq_style", "adm_imagenet_style"])
def test_every_recorded_network_output_is_reproduced_within_a_ten_thousandth(folder):
    assert max(deviation for _, deviation in network_deviations(GOLDEN / folder)) < 1e-4


@pytest.mark.parametrize(("tolerance", "status"), [("1e-3", 0), ("1e-9", 1)])
def test_the_exit_status_tells_whether_every_step_is_within_the_tolerance(tolerance, status, capsys):
    path = GOLDEN / "dps_super_resolution_ddpm10.safetensors"
    assert main([str(path), str(NETWORK), "--tolerance", tolerance]) == status
    assert "999" in capsys.readouterr().out


def _altered(tmp_path: Path, metadata: dict[str, str] | None = None, without: str = "") -> Path:
    tensors, meta = read_record(GOLDEN / "dsg_inpainting_ddim10.safetensors")
    tensors.pop(without, None)
    save_file(tensors, tmp_path / "altered.safetensors", meta | (metadata or {}))
    return tmp_path / "altered.safetensors"


@pytest.mark.parametrize(
    ("metadata", "without", "words"),
    [
        ({"method": "unheard_of"}, "", "choose dps or dsg"),
        ({"task": "unheard_of"}, "", "choose one of inpainting"),
        ({"sampler": "unheard_of"}, "", "choose ddim or ddpm"),
        ({"schedule": "linear-500"}, "", "timesteps"),
        ({"steps": "many"}, "", "altered.safetensors"),
        ({"sampler": "ddpm", "var_type": "unheard_of"}, "", "learned_range"),
        ({}, "x_T", "x_T"),
        ({}, "noise", "noise"),
    ],
)
def test_a_record_that_cannot_be_replayed_exits_with_two_and_says_why(tmp_path, capsys, metadata, without, words):
    assert main([str(_altered(tmp_path, metadata, without)), "--network", str(NETWORK)]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(("name", "cut"), [("noise", 3), ("x_t", 3), ("y", 1), ("mask", 1)])
def test_a_record_that_was_cut_short_exits_with_two(tmp_path, capsys, name, cut):
    tensors, meta = read_record(GOLDEN / "dsg_inpainting_ddim10.safetensors")
    tensors[name] = tensors[name][:cut, ..., :5].contiguous() if name == "mask" else tensors[name][:cut].contiguous()
    save_file(tensors, tmp_path / "cut.safetensors", meta)
    assert main([str(tmp_path / "cut.safetensors"), "--network", str(NETWORK)]) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'cut.safetensors'}: ")


@pytest.mark.parametrize("text", ["[]", "{half", "{"])
def test_a_network_whose_options_cannot_be_read_exits_with_two(tmp_path, capsys, text):
    folder = shutil.copytree(NETWORK, tmp_path / "network")
    (folder / "config.json").write_text(text)
    shutil.copy(GOLDEN / "dps_super_resolution_ddpm10.safetensors", tmp_path / "record.safetensors")
    for path in (folder, tmp_path / "record.safetensors"):
        assert main([str(path)]) == 2
        assert "config.json" in capsys.readouterr().err


def test_files_that_are_missing_or_foreign_exit_with_two(tmp_path, capsys):
    (tmp_path / "text.safetensors").write_text("no tensors")
    for path in (tmp_path / "absent", tmp_path / "text.safetensors", tmp_path):
        assert main([str(path), "--network", str(NETWORK)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_a_network_without_recorded_outputs_exits_with_two(tmp_path, capsys):
    folder = shutil.copytree(NETWORK, tmp_path / "network")
    save_file({"x": torch.zeros(1, 3, 32, 32)}, folder / "forward.safetensors")
    assert main([str(folder)]) == 2
    assert "out, t missing" in capsys.readouterr().err


def test_a_network_that_differs_in_one_weight_is_beyond_the_tolerance(tmp_path):
    folder = shutil.copytree(NETWORK, tmp_path / "network")
    state = torch.load(folder / "model.pt", weights_only=True)
    state["out.2.bias"][0] += 1e-3
    torch.save(state, folder / "model.pt")
    assert main([str(folder)]) == 1


def test_a_recorded_class_label_reaches_the_network(tmp_path):
    folder = shutil.copytree(GOLDEN / "adm_imagenet_style", tmp_path / "network")
    recorded = load_file(folder / "forward.safetensors")
    recorded["class_labels"] = recorded["class_labels"].roll(1)
    save_file(recorded, folder / "forward.safetensors")
    assert main([str(folder)]) == 1
