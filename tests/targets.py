"""Targets of styles that are all seen, or have a mask each."""

from tfstyle.objective import targets
from tfstyle.objective.targets import Style


def compute_targets(
    evaluator, content, styles, config, style_masks=(), **options
):
    """Computes targets; every style has its mask, if there are masks."""
    masks = style_masks if len(style_masks) else [None] * len(styles)
    pairs = [Style(*pair) for pair in zip(styles, masks, strict=True)]
    return targets.compute_targets(
        evaluator, content, pairs, config, num_styles=len(styles), **options
    )
