"""Guided steps of the codes of DSG, FreeDoM and Universal Guidance over losses that are networks.

The records here have recorded gradients in place of the pictures that the losses ask about, so that the step alone is
compared: tests/data/golden/README.md says where they come from. Steps of faces and of texts are made here by formula.
"""

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dsg.diffusion.schedule import NoiseSchedule
from dsg.replay.__main__ import main
from dsg.replay.nonlinear.compare import compare
from dsg.replay.nonlinear.rule import normal
from dsg.replay.nonlinear.stand_in import PixelStandIn
from dsg.replay.record import read_record

RECORDS = Path(__file__).parents[1] / "data" / "golden" / "nonlinear_steps"
TABLE = NoiseSchedule().alpha_bar


@pytest.mark.parametrize("path", sorted(RECORDS.glob("*.safetensors")), ids=lambda path: path.stem)
def test_every_recorded_step_of_latents_is_ours(path):
    found = compare(path)
    assert len(found) >= 8
    assert not [row for row in found if not row.passes()]


@pytest.mark.parametrize(
    ("file", "name"), [("step_sd_style_dsg", "index50.x_prev_f64"), ("step_ugd_forward", "x_final_f64")]
)
def test_a_number_that_differs_is_told_and_exits_with_one(file, name, tmp_path, capsys):
    tensors, meta = read_record(RECORDS / f"{file}.safetensors")
    tensors[name][0, 0, 0, 0] += 1e-4
    save_file(tensors, tmp_path / f"{file}.safetensors", meta)
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.count("!") == 1


def z(name, side):
    return normal(name, (1, 3, side, side)).double()


def unit(x):
    return x / x.norm()


def predicted(model, x, t):
    """ε and x̂."""
    prediction = model(x, model.schedule.level(t))
    return prediction.epsilon, prediction.clean_estimate


def face_record(tmp_path, method, side=12):
    """Four steps as docs of the record state them: t = 500, 490, 100, 0, of which those above 100 are guided."""
    tag, model, times = f"face.made.{side}", PixelStandIn(side), [500, 490, 100, 0]
    x, states, gradients = z(f"{tag}.x", side), [], []
    states.append(x)
    for k, (t, t_prev) in enumerate(zip(times, [*times[1:], -1], strict=True)):
        a, p = TABLE[t], 1.0 if t_prev == -1 else TABLE[t_prev]
        (epsilon, estimate), noise, g = predicted(model, x, t), z(f"{tag}.noise.{k}", side), z(f"gradient{k}", side)
        if t > 100:
            gradients.append(g)
        if method == "freedom":
            x = p**0.5 * estimate + 0.5 * (1 - p) ** 0.5 * noise + (0.75 * (1 - p)) ** 0.5 * epsilon
            x = x - (100 * a**0.5 * g if t > 100 else 0)
        else:
            sigma = math.sqrt((1 - p) / (1 - a) * (1 - a / p))
            mean, step = p**0.5 * estimate + (1 - p - sigma**2) ** 0.5 * epsilon, sigma * noise
            if t > 100:
                radius = math.sqrt(3 * side**2) * sigma
                step = radius * unit(step + 0.05 * (-radius * unit(g) - step))
            x = mean + step
        states.append(x)
    tensors = {"t": torch.tensor(times), "t_prev": torch.tensor([*times[1:], -1])}
    tensors |= {"x": torch.cat(states).float(), "x_f64": torch.cat(states), "gradient": torch.cat(gradients)}
    save_file(tensors, tmp_path / f"step_face_{method}.safetensors", {"tag": "face.made"})


@pytest.mark.parametrize("method", ["dsg", "freedom"])
def test_steps_towards_a_face_have_their_code_s_formula(tmp_path, method):
    face_record(tmp_path, method)
    (path,) = tmp_path.iterdir()
    found = {row.what: row for row in compare(path)}
    assert found.keys() == {"gradient", "t", "t_prev", "x"}
    assert found["x"].largest < 1e-12


def test_steps_towards_a_text_are_taken_ten_times_where_imagenet_s_were(tmp_path):
    side, tag = 6, "cliptext.made"
    model, x = PixelStandIn(side), z(f"{tag}.x", side)
    drawn, gradients, seen = 0, [], []
    for t, t_prev in ((600, 400), (400, -1)):
        a, p = TABLE[t], 1.0 if t_prev == -1 else TABLE[t_prev]
        for repetition in range(repetitions := 10 if 500 <= t <= 800 else 1):
            (epsilon, estimate), g = predicted(model, x, t), z(f"gradient{len(gradients)}", side)
            seen.append(x)
            gradients.append(g)
            c = p**0.5 * (1 - a / p) / (1 - a)
            mean = c * estimate + (a / p) ** 0.5 * (1 - p) / (1 - a) * x
            noise = math.sqrt((1 - p) * (1 - a / p) / (1 - a)) * z(f"{tag}.noise.{drawn}", side)
            drawn += 1
            x = mean + noise - 0.02 * c * math.sqrt((1 - a) / a) * epsilon.norm() * unit(g)
            if repetition < repetitions - 1:
                x = (a / p) ** 0.5 * x + (1 - a / p) ** 0.5 * z(f"{tag}.noise.{drawn}", side)
                drawn += 1
    tensors = {
        "x_in": torch.cat(seen).float(),
        "gradient": torch.cat(gradients),
        "x_final": x.float(),
        "x_final_f64": x,
    }
    file = tmp_path / "step_clip_text_freedom.safetensors"
    save_file(tensors | {"draws": torch.tensor([drawn])}, file, {"tag": tag, "timesteps": json.dumps([400, 600])})
    assert drawn == 20
    assert {row.what: row.passes() for row in compare(file)} == dict.fromkeys(
        ["draws", "gradient", "x_final", "x_in"], True
    )
