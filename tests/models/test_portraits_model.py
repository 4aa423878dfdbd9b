"""The portraits' network is heard as ε, with and without a class."""

import pytest
import torch

from dsg.diffusion.condition import ClassLabels
from dsg.diffusion.level import NoiseLevel
from dsg.errors import UserError

LEVEL = NoiseLevel.from_alpha_bar(300.0, 0.4)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    from dsg.models.portraits.network import build_network, save_weights

    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("portraits") / "weights.safetensors"
    save_weights(build_network().state_dict(), file)
    return str(file)


def test_the_velocity_is_heard_as_noise_and_no_condition_is_the_null_class(untrained):
    from dsg.models.portraits.model import Portraits
    from dsg.models.portraits.network import NULL_CLASS, PREDICTION, load_network
    from dsg.models.prediction_types import both_halves

    model, network = Portraits(untrained), load_network(untrained)
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for condition, labels in ((None, [NULL_CLASS] * 2), (ClassLabels(torch.tensor([0, 5])), [0, 5])):
        said = network(x, torch.full((2,), 300.0), torch.tensor(labels))
        expected = both_halves(said, x, LEVEL, PREDICTION)
        torch.testing.assert_close(model(x, LEVEL, condition).epsilon, expected.epsilon)
    assert model.shape == (3, 64, 64)
    assert model.num_classes == NULL_CLASS
    assert not any(p.requires_grad for p in model.parameters())


def test_missing_and_damaged_weights_are_refused(tmp_path):
    from dsg.models.portraits.model import Portraits

    with pytest.raises(UserError, match="no such file"):
        Portraits(str(tmp_path / "none.safetensors"))
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match=r"bad\.safetensors: truncated or no checkpoint"):
        Portraits(str(tmp_path / "bad.safetensors"))
