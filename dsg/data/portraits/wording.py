"""The words for each fact, several for most: a slot {c} is a colour and a space, or nothing."""

from __future__ import annotations

OPENERS = ("", "a portrait of ", "a picture of ", "a painting of ")
WHO = ("a person", "someone")
SKIN = {
    "dark": ("dark skin", "a dark complexion"),
    "tan": ("tan skin", "a tan complexion"),
    "fair": ("fair skin", "a fair complexion"),
}
OLD = ("an old person", "an elderly person")
HAIR = {
    "short": ("short {c}hair", "{c}hair cut short"),
    "parted": ("{c}hair parted at the side", "parted {c}hair"),
    "long": ("long {c}hair", "{c}hair worn long"),
    "fringe": ("a {c}bob with a fringe", "{c}hair with a fringe"),
    "curly": ("curly {c}hair", "{c}curls"),
    "bun": ("{c}hair in a bun", "a {c}bun"),
    "buzz": ("a buzz cut", "cropped hair"),
    "bald": ("a bald head", "no hair"),
}
ANY_HAIR = ("{c}hair",)
HAIR_COLOUR = {
    "black": ("black",),
    "brown": ("brown",),
    "ginger": ("ginger", "red"),
    "blond": ("blond", "fair"),
    "grey": ("grey", "silver"),
    "pink": ("pink", "dyed pink"),
    "blue": ("blue", "dyed blue"),
    "green": ("green", "dyed green"),
    "violet": ("violet", "purple"),
}
BEARD = {
    "none": ("no beard", "a clean shave"),
    "moustache": ("a moustache",),
    "goatee": ("a goatee", "a chin beard"),
    "full": ("a full beard", "a big beard"),
}
EYEWEAR = {
    "none": ("no glasses", "bare eyes"),
    "glasses": ("glasses", "spectacles"),
    "sunglasses": ("sunglasses", "dark glasses"),
}
RIMS = {"round": ("round {e}",), "square": ("square {e}", "angular {e}")}
HAT = {
    "none": ("no hat", "nothing on the head"),
    "beanie": ("a {c}beanie", "a {c}woolly hat"),
    "cap": ("a {c}cap", "a {c}baseball cap"),
    "fedora": ("a {c}fedora", "a {c}hat with a brim"),
    "beret": ("a {c}beret",),
}
CLOTHES = {
    "crew": ("a {c}jumper", "a {c}sweater with a round neck"),
    "vneck": ("a {c}top with a v neck", "a {c}v neck"),
    "collar": ("a {c}shirt with a collar", "a {c}shirt"),
    "turtleneck": ("a {c}turtleneck", "a {c}roll neck"),
    "suit": ("a suit and tie", "a suit"),
}
ANY_CLOTHES = ("{c}clothes",)
COLOUR = {
    "turquoise": ("turquoise", "teal"),
    "purple": ("purple", "violet"),
    "grey": ("grey", "gray"),
}
SMILE = {"smiling": ("smiling", "with a smile"), "frowning": ("frowning", "with a frown", "looking sad")}
MOUTH = {"open": ("mouth open", "with an open mouth"), "closed": ("mouth closed", "with closed lips")}
LAUGH = ("laughing", "with a laugh")
TURN = {
    "left": ("turned to the left", "looking left"),
    "right": ("turned to the right", "looking right"),
    "front": ("facing the viewer", "seen from the front"),
}
LIGHT = {
    "left": ("lit from the left", "light from the left"),
    "right": ("lit from the right", "light from the right"),
    "soft": ("in soft light", "evenly lit"),
}
PLACE = {
    "gradient": ("a {c}wall", "a {c}backdrop that changes shade"),
    "halo": ("a {c}glow", "a round {c}glow"),
    "stripes": ("{c}stripes", "a striped {c}wall"),
    "blobs": ("blurred {c}lights", "{c}lights out of focus"),
    "horizon": ("{c}hills", "a {c}landscape"),
}
ANY_PLACE = ("a {c}background",)
