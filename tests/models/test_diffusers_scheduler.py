"""The table of noise levels and the kind of prediction are those of diffusers' own scheduler."""

import json

import numpy as np
import pytest
import torch

from dsg.errors import UserError
from dsg.models.diffusers.scheduler import read_scheduler

diffusers = pytest.importorskip("diffusers")

TRAINED = torch.linspace(0.01, 0.3, 20).tolist()


def read(folder, scheduler, **changes):
    scheduler.save_pretrained(folder)
    file = folder / "scheduler_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return read_scheduler(file)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("DDPMScheduler", {"beta_schedule": "linear", "beta_start": 2e-4, "beta_end": 1e-2}),
        ("DDPMScheduler", {"beta_schedule": "scaled_linear", "num_train_timesteps": 500}),
        ("DDPMScheduler", {"beta_schedule": "squaredcos_cap_v2"}),
        ("DDPMScheduler", {"beta_schedule": "sigmoid"}),
        ("DDPMScheduler", {"beta_schedule": "laplace"}),
        ("DDPMScheduler", {"trained_betas": TRAINED}),
        ("DDIMScheduler", {"beta_schedule": "scaled_linear"}),
        ("DDIMScheduler", {"trained_betas": TRAINED, "steps_offset": 1, "timestep_spacing": "trailing"}),
        ("PNDMScheduler", {}),
        ("LCMScheduler", {}),
        ("EulerDiscreteScheduler", {"use_karras_sigmas": True}),
        ("DPMSolverMultistepScheduler", {"beta_schedule": "squaredcos_cap_v2"}),
    ],
    ids=str,
)
def test_every_scheduler_with_betas_gives_its_own_table(tmp_path, kind, options):
    scheduler = getattr(diffusers, kind)(**options)
    table = torch.from_numpy(read(tmp_path, scheduler).schedule.alpha_bar)
    torch.testing.assert_close(table, (1.0 - scheduler.betas.double()).cumprod(0), atol=0, rtol=1e-12)
    torch.testing.assert_close(table, scheduler.alphas_cumprod.double(), atol=1e-6, rtol=1e-4)


def test_what_a_configuration_does_not_state_is_the_default_of_its_class(tmp_path):
    file = tmp_path / "scheduler_config.json"
    file.write_text(json.dumps({"_class_name": "LCMScheduler"}))
    expected = diffusers.LCMScheduler().alphas_cumprod.double().numpy()
    np.testing.assert_allclose(read_scheduler(file)[0].alpha_bar, expected, rtol=1e-4)


@pytest.mark.parametrize("kind", ["DDPMScheduler", "DDIMScheduler"])
@pytest.mark.parametrize("curve", ["linear", "scaled_linear"])
def test_betas_rescaled_to_zero_terminal_snr_give_the_scheduler_s_own_table(tmp_path, kind, curve):
    options = {"beta_schedule": curve, "rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}
    scheduler = getattr(diffusers, kind)(**options)
    schedule, predicts, _ = read(tmp_path, scheduler)
    assert predicts == "v"
    assert schedule.alpha_bar[-1] == 0.0
    np.testing.assert_allclose(schedule.alpha_bar, scheduler.alphas_cumprod.double().numpy(), atol=2e-6)


@pytest.mark.parametrize(
    "options", [{"trained_betas": [*TRAINED, 1.0]}, {"beta_end": 1.0, "num_train_timesteps": 30}], ids=str
)
def test_betas_that_end_at_one_end_at_noise_alone(tmp_path, options):
    scheduler = diffusers.DDPMScheduler(prediction_type="sample", **options)
    schedule = read(tmp_path, scheduler).schedule
    assert schedule.alpha_bar[-1] == 0.0
    np.testing.assert_allclose(schedule.alpha_bar, scheduler.alphas_cumprod.double().numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("stated", "predicts"),
    [("epsilon", "epsilon"), ("v_prediction", "v"), ("sample", "denoised"), ("original_sample", "denoised")],
)
def test_every_word_of_diffusers_for_what_is_predicted_is_understood(tmp_path, stated, predicts):
    assert read(tmp_path, diffusers.EulerDiscreteScheduler(), prediction_type=stated).predicts == predicts


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("DDPMScheduler", {"prediction_type": "flow_prediction"}, "prediction_type 'flow_prediction' is not supported"),
        ("DDPMScheduler", {"beta_schedule": "zigzag"}, "cannot build a DDPMScheduler .beta_schedule zigzag"),
        ("DDPMScheduler", {"trained_betas": [0.1, 1.5]}, r"betas must be in \(0, 1\], and these reach .* 1\.5"),
        ("DDPMScheduler", {"trained_betas": "no"}, "cannot build a DDPMScheduler .*trained_betas no"),
        ("DDPMScheduler", {"rescale_betas_zero_snr": True}, "rescale_betas_zero_snr with prediction_type epsilon"),
        (
            "DDPMScheduler",
            {"beta_end": 1.0, "num_train_timesteps": 30},
            r"betas that end at 1 .* with prediction_type epsilon",
        ),
        ("DDPMScheduler", {"beta_end": 1.0}, r"its betas \(beta_schedule linear, .* beta_end 1\.0, .* are no schedule"),
        ("DDPMScheduler", {"variance_type": "learned"}, "variance_type learned is not supported"),
        ("DDPMScheduler", {"_class_name": "MyScheduler"}, "_class_name 'MyScheduler' is no scheduler"),
        ("DDPMScheduler", {"_class_name": "DDPMPipeline"}, "_class_name 'DDPMPipeline' is no scheduler"),
        ("DDPMScheduler", {"_class_name": "KarrasVeScheduler"}, "KarrasVeScheduler'? is (no scheduler|of no process)"),
        ("DDPMScheduler", {"prediction_type": ["a"]}, "prediction_type"),
        ("FlowMatchEulerDiscreteScheduler", {"invert_sigmas": True}, "invert_sigmas is of a flow"),
        ("EDMEulerScheduler", {}, "EDMEulerScheduler is of no process that is read here"),
        ("CogVideoXDDIMScheduler", {}, "a CogVideoXDDIMScheduler shifts its levels after its betas"),
        ("ScoreSdeVeScheduler", {"sigma_min": 0.0}, "cannot build a ScoreSdeVeScheduler"),
    ],
)
def test_what_is_not_supported_is_refused_by_its_key(tmp_path, kind, changes, words):
    with pytest.raises(UserError, match=rf"scheduler_config\.json: .*{words}") as error:
        read(tmp_path, getattr(diffusers, kind)(), **changes)
    assert "\n" not in str(error.value)
