"""The images of a run."""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np

from tfstyle.images.picture import Picture
from tfstyle.images.picture import mask_of


class MovedPainting(NamedTuple):
    """Painting of a film's previous frame, moved by the optical flow.

    Attributes:
        pixels: uint8 `[H, W, 3]`, RGB.
        weights: uint8 `[H, W]`, trust in the flow; 0 where there is none, as
            the place was hidden in the previous frame.
        fresh: uint8 `[H, W]`, mask of places that have come into sight; None if
            there are hardly any.
    """

    pixels: np.ndarray
    weights: np.ndarray
    fresh: np.ndarray | None = None


@dataclasses.dataclass(eq=False)
class ImageSet:
    """The images of a run, not resized.

    Attributes:
        content: the content image, or None.
        styles: the style images; an `ImageList` reads them on access.
        content_masks: uint8 `[H, W]`, one per region of the output, 255
            inside.
        style_masks: uint8 `[H, W]`, one per style, 255 in the part whose
            style is used.
        initial_image: uint8 `[H, W, 3]`, RGB, start of the optimisation, or
            None.
        previous: painting of a film's previous frame, moved to this one, which
            the temporal loss compares; or None.
        colors_of: picture whose colours the styles take if they are matched;
            None for the content image.
    """

    content: Picture | None = None
    styles: Sequence[Picture] = ()
    content_masks: Sequence[np.ndarray] = ()
    style_masks: Sequence[np.ndarray] = ()
    initial_image: np.ndarray | None = None
    previous: MovedPainting | None = None
    colors_of: Picture | None = None

    @classmethod
    def of_arrays(
        cls,
        content: np.ndarray | None,
        styles: Sequence[np.ndarray],
        **others: Any,
    ) -> "ImageSet":
        """Makes an image set from arrays without alpha.

        Args:
            content: uint8 `[H, W, 3]`, RGB, or None.
            styles: uint8 `[H, W, 3]`, RGB, of any sizes.
            **others: values of the other attributes.
        """
        first = None if content is None else Picture(content)
        return cls(first, [Picture(style) for style in styles], **others)

    @property
    def layout_size(self) -> tuple[int, int]:
        """Height and width, pixels, of the content image or else first style.

        The output has this aspect ratio.
        """
        first = self.content or self.styles[0]
        return first.pixels.shape[:2]

    @property
    def alpha(self) -> np.ndarray | None:
        """The content's alpha channel, uint8 `[H, W]`, or None."""
        return self.content.alpha if self.content else None

    def describe(self) -> dict[str, str]:
        """Returns the size and hash of every image, by field and number."""
        return dict(self._descriptions)

    @functools.cached_property
    def _descriptions(self) -> dict[str, str]:
        described = {}
        if self.content is not None:
            described["content_image"] = describe_image(*self.content[:2])
        if self.initial_image is not None:
            described["init"] = describe_image(self.initial_image)
        for number, style in enumerate(self.styles, start=1):
            described[f"style_images {number}"] = describe_image(*style[:2])
        for field in ("content_masks", "style_masks"):
            for number, mask in enumerate(getattr(self, field), start=1):
                described[f"{field} {number}"] = describe_image(mask)
        return described


def describe_image(pixels: np.ndarray, alpha: np.ndarray | None = None) -> str:
    """Returns an image's size and the SHA-256 of its visible pixels.

    Args:
        pixels: uint8 `[H, W, 3]` or `[H, W]`, before any resizing.
        alpha: uint8 `[H, W]`, or None.
    """
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(f"{height}x{width}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    if mask_of(alpha) is not None:
        digest.update(np.ascontiguousarray(alpha).data)
    return f"{width}x{height} sha256={digest.hexdigest()}"
