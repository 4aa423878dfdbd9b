"""The portrait world: the same picture every time, a different one for every index, and true statements about each."""

import numpy as np
import pytest

from dsg.data.portraits import ATTRIBUTES, CLASSES, HELD_OUT_START, IDENTITY, LANDMARKS, SEGMENTS, render

INDICES = [*range(60), *range(HELD_OUT_START, HELD_OUT_START + 60)]
PORTRAITS = [render(index) for index in INDICES]


def test_an_index_always_gives_the_same_picture():
    first, second = render(12), render(12)
    for field in ("image", "attributes", "identity", "segmentation", "landmarks"):
        assert np.array_equal(getattr(first, field), getattr(second, field))
    assert first.label == second.label


def test_shapes_types_and_ranges():
    for p in PORTRAITS:
        assert p.image.shape == (3, 64, 64)
        assert p.image.dtype == np.float32
        assert p.image.min() >= -1.0
        assert p.image.max() <= 1.0
        assert p.attributes.shape == (len(ATTRIBUTES),)
        assert p.attributes.dtype == np.float32
        assert p.attributes.min() >= 0.0
        assert p.attributes.max() <= 1.0
        assert p.identity.shape == (len(IDENTITY),)
        assert p.landmarks.shape == (len(LANDMARKS), 2)
        assert p.segmentation.shape == (64, 64)
        assert p.segmentation.dtype == np.uint8
        assert p.segmentation.max() < len(SEGMENTS)
        assert 0 <= p.label < len(CLASSES) == 8
        assert p.landmarks.min() > 4
        assert p.landmarks.max() < 60


def test_pictures_survive_being_saved_with_eight_bits():
    for p in PORTRAITS[:8]:
        levels = np.rint((p.image + 1.0) * 127.5).astype(np.uint8)
        assert np.abs(levels / np.float32(127.5) - np.float32(1.0) - p.image).max() < 1e-6


def test_every_index_is_another_person():
    identities = np.stack([p.identity for p in PORTRAITS])
    assert len(np.unique(identities, axis=0)) == len(PORTRAITS)
    images = np.stack([p.image.ravel() for p in PORTRAITS])
    nearest = np.sqrt(((images[:, None, ::7] - images[None, :, ::7]) ** 2).mean(-1)) + 9.0 * np.eye(len(images))
    assert nearest.min() > 0.1
    assert images.std(0).mean() > 0.3


def test_a_variation_keeps_the_identity_and_changes_the_picture():
    for index in (3, 4, HELD_OUT_START):
        first = render(index)
        for k in (1, 2):
            other = render(index, variation=k)
            assert np.array_equal(other.identity, first.identity)
            assert other.label == first.label
            assert np.abs(other.image - first.image).mean() > 0.05
            assert not np.array_equal(other.landmarks, first.landmarks)


def test_labels_say_what_the_attributes_say():
    def wears(p, trait):
        return p.attributes[ATTRIBUTES.index(f"{trait}=none")] == 0.0

    for p in PORTRAITS:
        glasses, beard, hat = CLASSES[p.label].split()
        assert (glasses == "glasses") == wears(p, "glasses")
        assert (beard == "beard") == wears(p, "beard")
        assert (hat == "hat") == wears(p, "hat")
    assert {p.label for p in PORTRAITS} == set(range(8))


def test_the_segmentation_shows_what_is_worn():
    for p in PORTRAITS:
        seen = {SEGMENTS[k] for k in np.unique(p.segmentation)}
        glasses, _, hat = CLASSES[p.label].split()
        assert {"background", "skin", "clothes"} <= seen
        assert (glasses == "glasses") == ("glasses" in seen)
        assert (hat == "hat") == ("hat" in seen)


def test_landmarks_lie_on_the_parts_they_name():
    hits = 0
    for p in PORTRAITS:
        x, y = np.rint(p.landmarks[LANDMARKS.index("mouth_centre")]).astype(int)
        hits += "mouth" in {SEGMENTS[k] for k in p.segmentation[y - 2 : y + 3, x - 2 : x + 3].ravel()}
        assert p.landmarks[0, 0] < p.landmarks[1, 0]  # the left eye is left of the right one
    assert hits > 0.9 * len(PORTRAITS)


@pytest.mark.parametrize(("index", "variation"), [(-1, 0), (0, -1)])
def test_negative_numbers_are_refused(index, variation):
    with pytest.raises(ValueError, match="negative"):
        render(index, variation)
