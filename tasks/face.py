"""What losses of faces share: where in the picture the face is."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from dsg.data.examples import IMAGE, Examples
from dsg.errors import UserError
from tasks.feature import Features, FeatureTask
from tasks.features.distance import Distance
from tasks.features.face_box import Faces, Window, boxes_of, window_of
from tasks.features.preparation import Prepared
from tasks.networks.trial import answer_to_grey
from tasks.operators import Operator


class FaceTask(FeatureTask):
    """A loss of a network that looks at a face: at the whole picture, or at a window around a box.

    Args:
        network: f; with a box it has to be a `Prepared`, which brings windows of any size to its own.
        distance: d; see `tasks.features`.
        reference: the data's column of references: `image` is the evaluated image itself.
        face_box: x1, y1, x2, y2 in pixels of the picture for all, or the name of the data's column of boxes: numbers,
            or texts like `30 40 200 220`; a fifth number, the detector's score, is not looked at; more are landmarks,
            (P,2), and the box goes around them. The window is FreeDoM's, of 1.2 times the box's shorter side. Null is
            the whole picture.

    Raises:
        UserError: for a box that is none, and before the first sample for a window beyond the picture, as far as the
            box is known by then.
    """

    def __init__(
        self,
        network: nn.Module,
        distance: Distance | None = None,
        reference: str = IMAGE,
        face_box: str | Sequence[float] | None = None,
    ) -> None:
        super().__init__(network, distance, reference)
        if face_box is not None and not isinstance(network, Prepared):
            raise UserError(
                f"face_box: {type(network).__name__} takes pictures of one size alone; wrap it in "
                "tasks.features.Prepared with a Resize, or leave face_box out"
            )
        self.column = face_box if isinstance(face_box, str) else None
        self.window = None if face_box is None or isinstance(face_box, str) else window_of(face_box)

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The reference, and the boxes where each image has its own."""
        return super().needs | (frozenset() if self.column is None else frozenset({self.column}))

    def check(self, shape: tuple[int, ...]) -> None:
        if self.window is None:
            super().check(shape)
            return
        self.window.check(shape[-2], shape[-1], "task.face_box")
        side = self.window.bottom - self.window.top
        answer_to_grey(self.network, (*shape[:-2], side, side), "task.network", "take a network of such images")

    def operator(self, examples: Examples) -> Operator:
        windows = self.windows(examples)
        if windows is None:
            return Features(self.network)
        assert isinstance(self.network, Prepared)  # of the constructor
        return Faces(self.network, windows)

    def windows(self, examples: Examples) -> tuple[Window, ...] | None:
        """Where each example's face is; None is the whole picture.

        Raises:
            UserError: if that is not inside its picture.
        """
        if self.window is not None:
            return (self.window,) * len(examples)
        if self.column is None:
            return None
        windows = tuple(window_of(box) for box in boxes_of(examples[self.column]))
        for window in windows:
            window.check(*self.size(examples), f"data: column {self.column}")
        return windows
