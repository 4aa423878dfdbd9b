"""What the module finds out before the first sample."""

import re
from dataclasses import dataclass

import pytest

import tasks
from dsg.data.folder import ImageFolder
from dsg.data.held_out import HeldOutPortraits
from dsg.diffusion.kernels import DDIM
from dsg.errors import UserError
from dsg.guidance import DPS, LossGuidance
from dsg.models.network import NetworkModel
from dsg.module import GuidedDiffusion
from tests.data.test_images_below import picture
from tests.toy import Fading, Toy
from tests.toy_faults import Conditional


@dataclass
class Plain(LossGuidance):
    """A method from outside that is not frozen, so that it has no hash."""

    step_size: float = 1.0

    def update(self, guided, process):
        return DPS(self.step_size).update(guided, process)


def test_a_method_from_outside_need_not_be_hashable():
    GuidedDiffusion(Toy(64), tasks.Denoising(), Plain(), DDIM(), steps=2).check(HeldOutPortraits(limit=1))


def check(model, data) -> None:
    GuidedDiffusion(model, tasks.Denoising(), DPS(1.0), DDIM(), steps=2).check(data)


def class_folders(root, *names: str) -> ImageFolder:
    for name in names:
        picture(root / name / "x.png")
    return ImageFolder(str(root), image_size=16, labels="folders", limit=1)


@pytest.mark.parametrize("names", [("n01", "n02"), ("n01", "n02", "n03", "n04")], ids=["fewer", "more"])
def test_class_folders_that_are_not_as_many_as_the_models_classes_are_refused(tmp_path, names):
    words = f"there are {len(names)} class folders and the model has 3 classes, .* CSV file with lines id,label"
    with pytest.raises(UserError, match=rf"data\.labels: {words}"):
        check(Conditional(16), class_folders(tmp_path, *names))


@pytest.mark.parametrize("names", [("n01", "n02", "n03"), ("0", "1"), ("0", "1", "2")])
def test_class_folders_that_say_which_class_they_are_fit(tmp_path, names):
    check(Conditional(16), class_folders(tmp_path, *names))


@pytest.mark.parametrize(
    ("shape", "mend"),
    [
        ((1, 16, 24), "set data.image_size to [16, 24] and data.channels to 1, or take the model"),
        ((3, 16, 24), "set data.image_size to [16, 24], or take the model"),
        ((3, 24, 24), "set data.image_size to 24, or take the model"),
        ((1, 64, 64), "set data.channels to 1, or take the model"),
        ((2,), "and the model's 2; take the model that belongs to the data, or data that"),
        ((4, 64, 64), "and the model's 4x64x64; take the model that belongs to the data, or data that"),
    ],
)
def test_images_of_another_shape_are_refused_with_the_options_that_mend_it(image_folder, shape, mend):
    model = NetworkModel(Fading(), shape=shape)
    with pytest.raises(UserError, match=re.escape(mend)):
        check(model, ImageFolder(str(image_folder), image_size=64))


def test_images_that_have_one_shape_alone_are_refused_without_options_that_they_do_not_have():
    words = "3x64x64 and the model's 3x16x16; take the model that belongs to the data, or data that belong to the model"
    with pytest.raises(UserError, match=words):
        check(Toy(16), HeldOutPortraits(limit=1))
