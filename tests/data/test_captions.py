"""Captions of portraits: true of the picture, the same every time, and read back as what they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsg.data.examples import PROMPT
from dsg.data.held_out import HeldOutPortraits
from dsg.data.portraits import HELD_OUT_START, SEGMENTS, caption, named_in, render
from dsg.data.portraits.attributes import draw_traits
from dsg.data.portraits.captions import describe, vocabulary
from dsg.data.portraits.facts import COLOURS, VALUES, colour_name, facts
from dsg.data.portraits.palette import colour, hsv

INDICES = st.integers(0, HELD_OUT_START + 10_000)
SOME = [*range(150), *range(HELD_OUT_START, HELD_OUT_START + 150)]


@given(INDICES, st.integers(0, 5))
def test_what_a_caption_names_is_a_fact_of_the_portrait(index, variation):
    known = facts(draw_traits(index, variation))
    assert caption(index, variation).named.items() <= known.items()


@given(INDICES)
def test_a_caption_is_read_back_as_what_it_names(index):
    said = caption(index)
    assert named_in(said.text) == said.named
    assert named_in(said.text.upper().replace(",", " ;")) == said.named


def test_an_index_always_has_the_same_caption_and_a_variation_another():
    assert [caption(i) for i in SOME] == [caption(i) for i in SOME]
    assert sum(caption(i).text == caption(i, variation=1).text for i in SOME) < 5


def test_facts_are_of_the_stated_values():
    for index in SOME:
        for name, value in facts(draw_traits(index)).items():
            assert value in VALUES[name]


def test_traits_bear_out_the_facts():
    for index in SOME:
        t, told = draw_traits(index), facts(draw_traits(index))
        assert told["eyewear"] == {"none": "none", "sun": "sunglasses"}.get(t.glasses, "glasses")
        assert told["hat"] == t.hat
        assert told.get("rims", t.glasses) == t.glasses
        assert told.get("beard", t.beard) == t.beard
        assert told.get("hair", t.hair) == t.hair
        assert told.get("smile") != ("frowning" if t.smile > 0.5 else "smiling")
        assert told.get("turn") != ("left" if t.yaw > 0.5 else "right")


def test_hair_that_a_hat_hides_is_not_named():
    hatted = [t for t in map(draw_traits, SOME) if t.hat != "none"]
    assert hatted
    for t in hatted:
        assert facts(t).get("hair") in (None, "long", "curly")


def test_the_light_is_on_the_named_side_of_the_face():
    sides = {"left": [], "right": []}
    for index in range(260):
        named = facts(draw_traits(index)).get("light")
        if named in sides:
            p = render(index)
            x = np.arange(64)[None, :] - p.landmarks[7, 0]  # from the middle of the mouth
            skin, bright = p.segmentation == SEGMENTS.index("skin"), p.image.mean(0)
            sides[named].append(bright[skin & (x < -4)].mean() - bright[skin & (x > 4)].mean())
    assert min(len(differences) for differences in sides.values()) >= 10
    assert np.mean(np.array(sides["left"]) > 0) > 0.9
    assert np.mean(np.array(sides["right"]) < 0) > 0.9


def test_a_head_is_turned_to_the_named_side():
    for index in SOME[:60]:
        named, (chin, nose) = facts(draw_traits(index)).get("turn"), render(index).landmarks[[8, 4], 0]
        if named in ("left", "right"):
            assert (nose < chin) == (named == "left")


def test_captions_say_more_and_less_in_many_words():
    said = [caption(index) for index in range(1000)]
    counts = [len(c.named) for c in said]
    assert min(counts) == 0
    assert 5 <= max(counts) <= 7
    assert len({c.text for c in said}) > 950
    named = {(name, value) for c in said for name, value in c.named.items()}
    assert {name for name, _ in named} == set(VALUES)
    words = {word for c in said for word in c.text.replace(",", "").split()}
    assert len(words & set(vocabulary())) > 110


def test_a_colour_has_the_name_that_people_give_it():
    assert colour_name(colour(0.8, 0.1, 0.1)) == "red"
    assert colour_name(colour(0.2, 0.3, 0.8)) == "blue"
    assert colour_name(colour(0.5, 0.5, 0.52)) == "grey"
    assert colour_name(colour(0.9, 0.9, 0.88)) == "white"
    assert colour_name(colour(0.4, 0.25, 0.1)) is None  # brown is no word of these
    seen = {colour_name(hsv(hue / 100, 0.8, 0.9)) for hue in range(100)}
    assert seen - {None} == set(COLOURS) - {"grey", "white"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("an old person with silver curls", {"age": "old", "hair": "curly", "hair_colour": "grey"}),
        ("Red hair and a red cap.", {"hair_colour": "ginger", "hat": "cap", "hat_colour": "red"}),
        ("round glasses, no hat", {"eyewear": "glasses", "rims": "round", "hat": "none"}),
        ("a cat on a mat", {}),
        ("", {}),
    ],
)
def test_texts_of_ones_own_are_read(text, named):
    assert named_in(text) == named


def test_a_caption_says_what_the_generator_draws():
    traits = draw_traits(3)
    first, again = (describe(traits, np.random.default_rng(5)) for _ in range(2))
    assert first == again
    assert len({describe(traits, np.random.default_rng(seed)).text for seed in range(20)}) > 10


def test_held_out_portraits_bring_their_captions_where_they_are_asked_for():
    data = HeldOutPortraits(limit=2, captions=True)
    for image_id in data.image_ids():
        assert data.load(image_id).columns == {PROMPT: caption(int(image_id)).text}
    assert PROMPT in data.columns()
    assert PROMPT not in HeldOutPortraits().columns()
    assert HeldOutPortraits(limit=1).load("01000000").columns == {}
