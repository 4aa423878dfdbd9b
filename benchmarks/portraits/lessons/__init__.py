"""What each kind of twin learns, and how its quality is measured."""

from benchmarks.portraits.lessons.base import Lesson
from benchmarks.portraits.lessons.identity import IdentityLesson
from benchmarks.portraits.lessons.image_text import ImageTextLesson
from benchmarks.portraits.lessons.landmarks import LandmarksLesson
from benchmarks.portraits.lessons.segmentation import SegmentationLesson

LESSONS: dict[str, type[Lesson]] = {
    lesson.twin.kind: lesson for lesson in (IdentityLesson, SegmentationLesson, LandmarksLesson, ImageTextLesson)
}

__all__ = ["LESSONS", "Lesson"]
