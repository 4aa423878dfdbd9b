"""What was loaded is told by the hash of its file."""

import copy
import hashlib
import os

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dsg.errors import UserError
from dsg.models.mixture import GaussianMixture
from dsg.models.network import NetworkModel
from dsg.models.portraits.classifier import PortraitsClassifier
from dsg.models.weights import WeightFiles, sha256_of_tensors, weights_of
from tests.models.test_adm import recorded


def sha256(path):
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def test_a_checkpoint_is_told_by_its_name_and_hash():
    model = recorded("adm_ffhq_style")
    assert list(model.weights) == ["model.pt"]
    assert model.weights["model.pt"].startswith("sha256:")


def test_the_networks_of_a_module_are_told_by_their_places(tmp_path):
    save_file(nn.Linear(2, 2).state_dict(), tmp_path / "w.safetensors")
    model = NetworkModel(nn.Linear(2, 2), (2,), checkpoint=str(tmp_path / "w.safetensors"))
    module = nn.ModuleDict({"score_model": model, "judges": nn.ModuleList([PortraitsClassifier("judge")])})
    told = weights_of(module)
    assert list(told) == ["score_model/w.safetensors", "judges.0/classifier_judge.safetensors"]
    assert told["score_model/w.safetensors"] == sha256(tmp_path / "w.safetensors")


def test_a_closed_form_has_no_weights_and_one_from_a_file_tells_it(tmp_path):
    assert GaussianMixture.standard_normal((2,)).weights == {}
    tensors = {"weights": torch.ones(1), "means": torch.zeros(1, 2), "covariances": torch.ones(1)}
    save_file(tensors, tmp_path / "m.safetensors")
    mixture = GaussianMixture(parameters=str(tmp_path / "m.safetensors"))
    assert mixture.weights == {"m.safetensors": sha256(tmp_path / "m.safetensors")}


def test_a_network_from_no_file_is_told_by_its_tensors():
    network = nn.Linear(2, 2)
    model, same = NetworkModel(network, (2,)), NetworkModel(copy.deepcopy(network), (2,))
    assert model.weights == same.weights == {"network": f"sha256:{sha256_of_tensors(network)}"}
    with torch.no_grad():
        network.bias[0] += 1
    assert model.weights != same.weights


def test_a_file_that_changed_since_it_was_read_is_not_told(tmp_path):
    file = tmp_path / "w.pt"
    file.write_bytes(b"one")
    asked, late = WeightFiles({"w.pt": file}), WeightFiles({"w.pt": file})
    told = asked.hashes()
    assert told == {"w.pt": sha256(file)}
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))
    with pytest.raises(UserError, match=r"w\.pt: has changed since it was loaded"):
        late.hashes()
    assert asked.hashes() == told
