"""Hair: one outline around the head and one line around the face; a style is a row of numbers."""

from dataclasses import dataclass

import numpy as np

from . import palette
from .head import dome
from .shapes import PIXEL, blend, box, circle, ellipse, lerp, smoothstep


@dataclass(frozen=True)
class Style:
    """Heights are in head half-heights (-1 crown, 1 chin)."""

    volume: float  # how far the hair stands off the head
    line: float  # hairline above the middle of the forehead
    drop: float  # how steeply the hairline falls at the temples
    power: float  # how late it falls: large leaves a broad forehead
    ends: float  # where the sides end
    part: float = 0.0  # one-sided slope of the hairline
    sheet: float = 0.0  # half-width of the hair that hangs behind the neck, in head half-widths


STYLES = {
    "buzz": Style(0.015, -0.60, 0.55, 4.0, -0.08),
    "short": Style(0.070, -0.58, 0.60, 4.0, 0.02),
    "parted": Style(0.090, -0.50, 0.55, 4.0, 0.06, part=0.24),
    "long": Style(0.085, -0.74, 1.55, 2.2, 1.45, sheet=1.15),
    "fringe": Style(0.085, -0.30, 1.30, 9.0, 0.75, sheet=1.12),
    "curly": Style(0.190, -0.55, 0.90, 3.5, 0.25),
    "bun": Style(0.045, -0.66, 0.75, 3.0, 0.05),
}


def _outline(t, head, style):
    """Distance to the whole mass of hair, as if there were no face in front of it."""
    x, y, grow = head.X * head.a, head.y, style.volume * lerp(0.7, 1.35, t.hair_volume)
    d = ellipse(x, y + 0.35 * grow, head.a + grow, head.b + grow)
    if t.hair == "curly":
        d = ellipse(head.x, y + 0.22, head.a + grow * 1.05, head.b * 0.78 + grow)
        turn = np.arctan2(head.x, -(y + 0.2))
        d = d - 0.020 * np.sin(11.0 * turn + 6.0 * t.hair_wave) - 0.014 * np.sin(19.0 * turn + 9.0 * t.hair_wave)
    if style.sheet:
        length = lerp(0.55, 1.0, t.hair_length) if t.hair == "long" else lerp(0.30, 0.48, t.hair_length)
        waves = 0.045 * t.hair_wave * np.sin(13.0 * y + 4.0 * np.sign(head.x))
        # The sheet hangs from the crown, which is behind the face and so swings the other way when the head turns.
        sway = head.x + 0.25 * head.a * np.sin(head.yaw) * smoothstep(-0.2, 0.6, y)
        sheet = box(sway + waves, y - 0.5 * length + 0.15, head.a * style.sheet + 0.5 * grow, 0.5 * length + 0.15, 0.16)
        d = blend(d, sheet, 0.10)
    if t.hair == "bun" and t.hat == "none":
        d = np.minimum(
            d, circle(head.x + 0.2 * head.a * np.sin(head.yaw), y + head.b + 0.10, lerp(0.11, 0.17, t.hair_volume))
        )
    return d


def _tone(t, head, light):
    """The lit colour of the hair with its strands, (3, 64, 64): strands fan out from above the crown."""
    nx, ny, nz = dome(head.x, head.y + 0.08, head.a * 1.3, head.b * 1.35)
    fan = np.arctan2(head.x, head.y + 1.5 * head.b) + 0.05 * t.hair_wave * np.sin(14.0 * head.y + 3.0)
    strands = 0.55 * np.sin(46.0 * fan + 6.0 * t.parting) + 0.45 * np.sin(83.0 * fan + 9.0 * t.hair_volume)
    if t.hair == "curly":
        strands = (
            np.sin(38.0 * head.x + 3.0 * np.sin(27.0 * head.y))
            * np.sin(36.0 * head.y + 3.0 * np.sin(31.0 * head.x))
            * 1.4
        )
    band = np.exp(-(((head.y + 0.66 * head.b) / 0.13) ** 2)) * light.gloss(nx, ny, nz, 6)
    shade = light.shade(nx, ny, nz)
    base = palette.hair(t)
    return base * shade * (1.0 + 0.17 * strands) + 0.20 * band * (1.0 + 0.5 * strands) * (0.25 + base)


def paint_back_hair(canvas, t, head, light):
    if t.hair == "bald":
        return
    style = STYLES[t.hair]
    mass = _outline(t, head, style)
    if not style.sheet:  # short hair ends at the nape and must not frame the jaw
        mass = np.maximum(mass, head.y - (style.ends + 0.25) * head.b)
    canvas.fill(mass, _tone(t, head, light) * 0.62, "hair", PIXEL * 1.3)


def paint_front_hair(canvas, t, head, light):
    """All of the mass except the window of the face; casts a soft shadow on the forehead first."""
    if t.hair == "bald":
        return
    style = STYLES[t.hair]
    U = head.U - (lerp(-0.12, 0.12, t.parting) if t.hair == "long" else 0.0)
    side = 1.0 if t.parting > 0.5 else -1.0
    line = style.line - lerp(-0.05, 0.10, t.hairline) + style.drop * np.abs(U) ** style.power + side * style.part * U
    if t.hair in ("fringe", "curly", "short"):
        line = line + 0.035 * np.sin(17.0 * U + 5.0 * t.parting) + 0.02 * np.sin(31.0 * U)
    window = (head.V - line) * head.b * 0.75
    ends = style.ends if style.ends > 0.4 else style.ends + 0.10 * (t.hair_length - 0.5)
    mass = _outline(t, head, style)
    front = np.maximum(np.maximum(mass, window), (head.y - ends * head.b) * 0.9)
    # The shadow belongs to the skin just below the hairline, not to what lies outside the head.
    inside = np.clip(0.5 - head.outline / PIXEL, 0.0, 1.0)
    canvas.darken(0.28 * inside * smoothstep(0.10, 0.0, front))
    opacity = 0.72 if t.hair == "buzz" else 1.0
    canvas.fill(front, _tone(t, head, light), "hair", PIXEL * (2.5 if t.hair == "buzz" else 1.4), opacity)
