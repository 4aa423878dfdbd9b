"""Captions written from the facts of a portrait by a small grammar, and read back.

    [opener] who [with ..., ... and ...] [wearing ... and ...] [expression] [turn] [light] [in front of place]

Only clear facts are named (`facts.py`). What is said of them, and how, is drawn for an index and a variation, so that
a caption is the same every time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from types import SimpleNamespace

import numpy as np

from . import wording as w
from .attributes import SEED, draw_traits
from .facts import COLOURS, VALUES, facts

Named = dict[str, str]  # fact → value, of `facts.VALUES`
_MOST = 7  # things said in one caption, so that it stays within what the text encoder reads
_CHANCES = {
    "skin": 0.45, "age": 0.8, "hair": 0.75, "hair_colour": 0.8, "beard": 0.75, "eyewear": 0.85, "rims": 0.5,
    "hat": 0.9, "hat_colour": 0.8, "clothes": 0.6, "clothes_colour": 0.7, "smile": 0.65, "mouth": 0.4, "turn": 0.35,
    "light": 0.4, "place": 0.55, "place_colour": 0.75,
}  # fmt: skip
_SELDOM = {("beard", "none"), ("eyewear", "none"), ("hat", "none"), ("mouth", "closed"), ("turn", "front")}
# Each part of a caption: the facts that it may say together.
_WITH = (("skin",), ("hair", "hair_colour"), ("beard",), ("eyewear", "rims"))
_WEARING = (("hat", "hat_colour"), ("clothes", "clothes_colour"))
_MANNER = (("smile", "mouth"), ("turn",), ("light",))
_PLACE = ("place", "place_colour")


@dataclass(frozen=True)
class Caption:
    """A text, and what it says: the named facts are true of the picture, and seen in it."""

    text: str
    named: Named


def caption(index: int, variation: int = 0) -> Caption:
    """The caption of portrait `index` (>= 0) in its `variation` (>= 0)."""
    return describe(draw_traits(index, variation), np.random.default_rng([SEED, index, 1 + variation, 1]))


def describe(traits: SimpleNamespace, rng: np.random.Generator) -> Caption:
    """A caption of these traits; `rng` chooses what is said, and in which words."""
    known = facts(traits)
    talkative = rng.uniform(0.5, 1.3)
    kept = [name for name, value in known.items() if rng.random() < talkative * _chance(name, value)]
    rng.shuffle(kept)
    said = {name: known[name] for name in _whole(kept, known)[:_MOST]}

    def phrase(names: tuple[str, ...]) -> str | None:
        told = tuple((name, said[name]) for name in names if name in said)
        return str(rng.choice(_sayings()[told])) if told else None

    def phrases(parts) -> list[str]:
        told = [text for text in (phrase(names) for names in parts) if text]
        rng.shuffle(told)
        return told

    nothing = said.get("hat") == "none"  # nobody wears no hat
    who = phrase(("age",)) or str(rng.choice(w.WHO))
    start = str(rng.choice(w.OPENERS)) + who
    having = _listed(phrases(_WITH + _WEARING[:1] if nothing else _WITH))
    wearing = _listed(phrases(_WEARING[1:] if nothing else _WEARING))
    manner = [f"wearing {wearing}"] * bool(wearing) + phrases(_MANNER)
    if place := phrase(_PLACE):
        manner.append(f"in front of {place}")
    text = start + (f" with {having}" if having else "")
    return Caption(", ".join([text, *manner]), said)


def named_in(text: str) -> Named:
    """What a text names, where it uses the grammar's words, in any order; later sayings of a fact count.

    The longest phrase wins, so that `red hair` is no red of anything else.
    """
    words, found = re.findall(r"[a-z]+", text.lower()), {}
    meanings, longest = _meanings()
    at = 0
    while at < len(words):
        for length in range(min(longest, len(words) - at), 0, -1):
            meaning = meanings.get(" ".join(words[at : at + length]))
            if meaning is not None:
                found |= meaning
                at += length
                break
        else:
            at += 1
    return found


def vocabulary() -> list[str]:
    """Every word of the grammar, sorted."""
    texts = [*w.OPENERS, *w.WHO, "with and wearing in front of", *_meanings()[0]]
    return sorted({word for text in texts for word in text.split()})


def _chance(name: str, value: str) -> float:
    return 0.15 if (name, value) in _SELDOM else _CHANCES[name]


def _whole(kept: list[str], known: Named) -> list[str]:
    """`kept` without what cannot be said alone: the shape of glasses, and a hat's colour without the hat."""
    alone = {"rims": "eyewear", "hat_colour": "hat"}
    kept = [name for name in kept if alone.get(name, name) in kept]
    # The colour comes right after its thing: a caption that is cut short loses both or neither.
    return sorted(kept, key=lambda name: (kept.index(alone.get(name, name)), name in alone))


def _listed(texts: list[str]) -> str:
    return " and ".join(text for text in (", ".join(texts[:-1]), *texts[-1:]) if text)


@cache
def _meanings() -> tuple[dict[str, Named], int]:
    """Each phrase and what it says, and the words of the longest."""
    meanings = {text: dict(told) for told, texts in _sayings().items() for text in texts}
    return meanings, max(len(text.split()) for text in meanings)


@cache
def _sayings() -> dict[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Facts that are said together, and the phrases that say them."""
    return {told: tuple(_article(text) for text in texts) for told, texts in _all_sayings()}


def _article(text: str) -> str:
    return re.sub(r"\ba (?=[aeiou])", "an ", text)


def _all_sayings() -> Iterator[tuple[tuple[tuple[str, str], ...], tuple[str, ...]]]:
    plain = {"skin": w.SKIN, "beard": w.BEARD, "eyewear": w.EYEWEAR, "turn": w.TURN, "light": w.LIGHT}
    for name, table in {**plain, "smile": w.SMILE, "mouth": w.MOUTH}.items():
        for value, texts in table.items():
            yield ((name, value),), texts
    yield (("age", "old"),), w.OLD
    for smile, mouth in product(VALUES["smile"], VALUES["mouth"]):
        laugh = w.LAUGH if (smile, mouth) == ("smiling", "open") else ()
        both = tuple(f"{a} {b}" for a in w.SMILE[smile][:1] for b in w.MOUTH[mouth][1:])
        yield (("smile", smile), ("mouth", mouth)), both + laugh
    for rims, shapes in w.RIMS.items():
        texts = tuple(shape.format(e=e) for shape in shapes for e in w.EYEWEAR["glasses"])
        yield (("eyewear", "glasses"), ("rims", rims)), texts
    hues = {colour: w.COLOUR.get(colour, (colour,)) for colour in COLOURS}
    yield from _coloured("hair", w.HAIR, w.ANY_HAIR, w.HAIR_COLOUR)
    yield from _coloured("hat", w.HAT, (), hues)
    yield from _coloured("clothes", w.CLOTHES, w.ANY_CLOTHES, hues)
    yield from _coloured("place", w.PLACE, w.ANY_PLACE, hues)


def _coloured(name, things, anything, colours):
    """A thing, a thing of a colour, and a colour of anything."""
    for thing, texts in things.items():
        yield ((name, thing),), tuple(text.format(c="") for text in texts)
    for colour, words in colours.items():
        told = (f"{name}_colour", colour)
        if anything:
            yield (told,), tuple(text.format(c=f"{word} ") for text in anything for word in words)
        for thing, texts in things.items():
            if any("{c}" in text for text in texts):
                filled = (text.format(c=f"{word} ") for text in texts if "{c}" in text for word in words)
                yield ((name, thing), told), tuple(filled)
