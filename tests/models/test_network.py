"""A network of one's own, whatever it predicts, is heard as both halves."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from dsg.diffusion import FlowSchedule, NoiseSchedule, SigmaSchedule
from dsg.diffusion.condition import ClassLabels, Condition
from dsg.diffusion.level import NoiseLevel
from dsg.errors import UserError
from dsg.models.coordinates import RectifiedFlow, VarianceExploding, VariancePreserving
from dsg.models.network import NetworkModel
from dsg.models.prediction_types import both_halves, training_target

LEVEL = NoiseLevel.from_alpha_bar(300.0, 0.4)


class Prompt(Condition):
    """A condition of another kind."""

    def __len__(self):
        return 3

    def to(self, device):
        return self

    def rows(self, index):
        return self


class Echo(nn.Module):
    """Answers with a linear map of the state, and remembers what it was called with."""

    def __init__(self, features: int = 2, times: int = 1) -> None:
        super().__init__()
        self.linear = nn.Linear(features, features * times)

    def forward(self, x, t, labels=None):
        self.heard = (x.dtype, t, labels)
        return self.linear(x)


@settings(max_examples=30)
@given(st.sampled_from(["epsilon", "v", "denoised", "velocity", "score"]), st.floats(1e-3, 0.999), st.integers(0, 99))
def test_the_target_of_every_prediction_type_is_read_back_as_both_halves(predicts, alpha_bar, seed):
    generator = torch.Generator().manual_seed(seed)
    clean, epsilon = torch.randn(2, 3, 4, 4, 4, generator=generator)
    x_t = alpha_bar**0.5 * clean + (1 - alpha_bar) ** 0.5 * epsilon
    target = training_target(clean, epsilon, alpha_bar, predicts)
    found = both_halves(target, x_t, NoiseLevel.from_alpha_bar(0.0, alpha_bar), predicts)
    torch.testing.assert_close(found.epsilon, epsilon, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.clean_estimate, clean, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("noise", "predicts: must be one of epsilon, v, denoised, .*; got 'noise'"),
        ("sample", "'sample' is called denoised here"),
        ("flow", "'flow' is called velocity here"),
        ("v_prediction", "'v_prediction' is called v here"),
    ],
)
def test_an_unknown_prediction_type_is_refused_and_a_word_of_diffusers_told_its_name(word, said):
    with pytest.raises(UserError, match=said):
        NetworkModel(Echo(), (2,), predicts=word)


def test_the_network_hears_the_timestep_of_every_sample_in_float32():
    model = NetworkModel(Echo(), (2,))
    model(torch.zeros(3, 2), LEVEL)
    assert torch.equal(model.network.heard[1], torch.full((3,), 300.0))
    assert model.network.heard[2] is None


def test_the_network_is_called_in_its_own_precision_and_answers_in_float32():
    model = NetworkModel(Echo().to(torch.bfloat16), (2,))
    output = model(torch.zeros(3, 2), LEVEL)
    assert model.network.heard[0] == torch.bfloat16
    assert output.epsilon.dtype == torch.float32


def test_twice_the_channels_are_the_noise_and_the_range_of_the_variance():
    model = NetworkModel(Echo(times=2), (2,), learns_variance=True)
    x = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    output = model(x, LEVEL)
    assert torch.equal(torch.cat([output.epsilon, output.variance_range], dim=1), model.network.linear(x))


def test_an_answer_of_another_shape_is_refused():
    with pytest.raises(UserError, match=r"answers \(3, 6\) to a state \(3, 2\)"):
        NetworkModel(Echo(times=3), (2,))(torch.zeros(3, 2), LEVEL)


def test_without_a_condition_the_null_class_is_heard():
    model = NetworkModel(Echo(), (2,), num_classes=4, null_class=4)
    model(torch.zeros(3, 2), LEVEL)
    assert model.network.heard[2].tolist() == [4, 4, 4]
    model(torch.zeros(3, 2), LEVEL, ClassLabels(torch.tensor([0, 1, 3])))
    assert model.network.heard[2].tolist() == [0, 1, 3]


@pytest.mark.parametrize(
    ("classes", "condition", "word"),
    [
        (4, None, "needs class labels"),
        (None, ClassLabels(torch.zeros(3)), "takes no condition"),
        (4, ClassLabels(torch.zeros(2)), "one per state"),
        (4, Prompt(), "conditional on class labels, and cannot use a Prompt"),
    ],
)
def test_a_condition_that_does_not_suit_is_refused(classes, condition, word):
    with pytest.raises(UserError, match=word):
        NetworkModel(Echo(), (2,), num_classes=classes)(torch.zeros(3, 2), LEVEL, condition)


def test_the_model_is_frozen_and_stays_in_evaluation_mode():
    model = NetworkModel(nn.Sequential(nn.Dropout(0.5)), (2,)).train()
    assert not any(module.training for module in model.modules())


def test_a_checkpoint_is_loaded_strictly(tmp_path):
    source = Echo()
    save_file(source.state_dict(), tmp_path / "echo.safetensors")
    model = NetworkModel(Echo(), (2,), checkpoint=str(tmp_path / "echo.safetensors"))
    assert torch.equal(model.network.linear.weight, source.linear.weight)
    with pytest.raises(UserError, match="does not fit"):
        NetworkModel(Echo(3), (3,), checkpoint=str(tmp_path / "echo.safetensors"))


@pytest.mark.parametrize(
    ("schedule", "kind"),
    [(NoiseSchedule(), VariancePreserving), (SigmaSchedule(), VarianceExploding), (FlowSchedule(), RectifiedFlow)],
)
def test_without_coordinates_a_network_has_those_of_its_schedule(schedule, kind):
    predicts = "velocity" if kind is RectifiedFlow else "denoised"
    assert isinstance(NetworkModel(Echo(), (2,), predicts, schedule).coordinates, kind)


@pytest.mark.parametrize("schedule", [FlowSchedule(), NoiseSchedule(zero_terminal_snr=True)])
def test_coordinates_without_a_place_for_noise_alone_are_refused(schedule):
    with pytest.raises(UserError, match="no state of noise alone"):
        NetworkModel(Echo(), (2,), "denoised", schedule, VarianceExploding())


@pytest.mark.parametrize("predicts", ["epsilon", "score"])
def test_a_network_that_predicts_the_noise_cannot_begin_at_noise_alone(predicts):
    with pytest.raises(UserError, match=f"{predicts} says nothing of x_0"):
        NetworkModel(Echo(), (2,), predicts, NoiseSchedule(zero_terminal_snr=True))


@pytest.mark.parametrize(
    ("schedule", "coordinates"),
    [(NoiseSchedule(), None), (SigmaSchedule(), None), (FlowSchedule(), VariancePreserving())],
)
def test_a_velocity_is_refused_where_no_path_is_straight(schedule, coordinates):
    with pytest.raises(UserError, match=r"velocity is of the straight path, .* set coordinates to RectifiedFlow"):
        NetworkModel(Echo(), (2,), "velocity", schedule, coordinates)


@pytest.mark.parametrize(
    ("coordinates", "said"),
    [
        (lambda: VarianceExploding(time_as="sigmas"), "one of sigma, log_sigma, .*'sigmas'"),
        (lambda: VariancePreserving(time_as="sigma"), "one of schedule, angle, log_snr, got 'sigma'"),
        (lambda: RectifiedFlow(0.0), "time_scale must be finite and not 0"),
    ],
)
def test_a_time_that_is_none_of_the_coordinates_is_refused(coordinates, said):
    with pytest.raises(UserError, match=said):
        coordinates()


def test_a_time_that_is_infinite_at_noise_alone_is_refused():
    with pytest.raises(UserError, match="time_as of VariancePreserving is not finite at noise alone"):
        NetworkModel(Echo(), (2,), "v", NoiseSchedule(zero_terminal_snr=True), VariancePreserving(time_as="log_snr"))


def test_pictures_have_a_range_and_other_states_none():
    assert NetworkModel(Echo(), (3, 8, 8)).clean_range == (-1.0, 1.0)
    assert NetworkModel(Echo(), (2,)).clean_range is None
    assert NetworkModel(Echo(), (4, 8, 8)).clean_range is None
    assert NetworkModel(Echo(), (3, 8, 8), clean_range=None).clean_range is None
    with pytest.raises(UserError, match="low < high"):
        NetworkModel(Echo(), (2,), clean_range=(1.0, -1.0))
