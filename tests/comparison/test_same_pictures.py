"""A picture is known again by its looks, and only that."""

import torch

from dsg.comparison.same_pictures import Looks
from dsg.data.base import EvaluationData
from dsg.data.examples import Example


class Given(EvaluationData):
    def __init__(self, **examples):
        super().__init__()
        self.examples = examples

    def image_ids(self):
        return sorted(self.examples)

    def load(self, image_id):
        return self.examples[image_id]


def stars(seed):
    """Black, with five small squares."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.full((3, 64, 64), -1.0)
    for y, x in torch.randint(0, 62, (5, 2), generator=generator).tolist():
        image[:, y : y + 2, x : x + 2] = -0.5
    return image


def noisy(image, by=0.01):
    return image + by * torch.randn(image.shape, generator=torch.Generator().manual_seed(9))


def test_different_pictures_of_little_light_are_different():
    evaluated, tuning = (Given(**{f"i{k}": Example(stars(k)) for k in seeds}) for seeds in (range(5), range(5, 9)))
    assert Looks().in_common(evaluated, tuning) == []


def test_the_same_picture_with_the_noise_of_a_file_format_is_the_same():
    evaluated = Given(a=Example(stars(0)), b=Example(stars(1)))
    assert Looks().in_common(evaluated, Given(mine=Example(noisy(stars(1), 0.005)))) == [("b", "mine")]


def test_measurements_without_their_images_are_known_by_themselves():
    measured = [Example(None, {"measurement": noisy(stars(k))}) for k in (0, 1)]
    assert Looks().in_common(Given(a=measured[0]), Given(b=measured[0], c=measured[1])) == [("a", "b")]
