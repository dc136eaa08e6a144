"""The identity of a run: the options and files that determine its picture.

It is compared to match checkpoints, finished pictures, replaceable outputs and
the processes of a cluster.
"""

import dataclasses
from typing import Any

from tfstyle.config.config import Config
from tfstyle.config.run_config import RunConfig
from tfstyle.config.validation import INITS
from tfstyle.errors import ConfigError
from tfstyle.flags import flagfile
from tfstyle.flags.values import FIELDS
from tfstyle.flags.values import parse_text
from tfstyle.images.image_set import ImageSet
from tfstyle.training.plan import complete_options

NOT_OF_IMAGES = {
    *("versions", "weights", "result", "ended", "replicas", "picture")
}
"""Facts in a picture's metadata that are not hashes of its images."""

_ANOTHER = {
    "content_video": "another film, or `frames` or `chunk_frames` are others"
}
"""How images that are no pictures differ, by name."""


@dataclasses.dataclass(frozen=True)
class RunIdentity:
    """Options and files that determine the picture of a run.

    Attributes:
        flags: options of scope `picture`, as text by name.
        steps: number of update steps per level, coarsest first.
        images: size and hash of each input image, by field and number.
        versions: versions of the packages that compute, by name.
        weights: SHA-256 of the weights' values; empty before they are loaded.
    """

    flags: dict[str, str]
    steps: list[int]
    images: dict[str, str]
    versions: dict[str, str]
    weights: str = ""

    @classmethod
    def of_request(
        cls, config: RunConfig, images: ImageSet, weights: str = ""
    ) -> "RunIdentity":
        """Makes the identity of a requested run.

        Args:
            config: the options; `auto` matches any value.
            images: input images of the run.
            weights: SHA-256 of the weights' values; empty if not loaded.

        Raises:
            ConfigError: if the images are too small for the options.
        """
        return cls.of_run(complete_options(config, images), images, weights)

    @classmethod
    def of_run(
        cls, config: Config, images: ImageSet, weights: str
    ) -> "RunIdentity":
        """Makes the identity of a planned run.

        Args:
            config: the options of the plan, with every `auto` resolved.
            images: input images of the run.
            weights: SHA-256 of the weights' values.
        """
        return cls(
            _picture_flags(config),
            list(config.steps_by_level),
            images.describe(),
            flagfile.versions(),
            weights,
        )

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "RunIdentity":
        """Reads an identity written by `to_json` of this or an older release.

        Raises:
            ConfigError: if this release does not support one of its flags.
            ValueError: if a part is missing or has the wrong type; names it.
        """
        kinds = {"flags": str, "steps": int, "images": str, "versions": str}
        for name, kind in kinds.items():
            found = values.get(name)
            items = found.values() if isinstance(found, dict) else found
            is_right = isinstance(found, list if name == "steps" else dict)
            if not is_right or any(type(item) is not kind for item in items):
                raise ValueError(name)
        return cls(
            _picture_flags(_read_flags(values["flags"]), values["flags"]),
            values["steps"],
            values["images"],
            values["versions"],
            str(values.get("weights", "")),
        )

    @classmethod
    def from_text(cls, text: str | None) -> "RunIdentity | None":
        """Reads an identity from a picture's metadata or a `flags.cfg`.

        Returns:
            The identity, or None if the text was not written by tfstyle.
        """
        if not text or not text.startswith(flagfile.FIRST_LINE):
            return None
        flags, facts = flagfile.parse_text(text)
        try:
            config = _read_flags(flags)
        except ConfigError:
            return None
        weights = facts.get("weights", "").rpartition("sha256=")[2]
        images = {n: v for n, v in facts.items() if n not in NOT_OF_IMAGES}
        picture_flags = _picture_flags(config, flags)
        return cls(picture_flags, _steps(config), images, {}, weights)

    def to_json(self) -> dict[str, Any]:
        """Returns the attributes as a dict that JSON can represent."""
        return dataclasses.asdict(self)

    def differences(self, other: "RunIdentity") -> list[str]:
        """Lists the differences between this run and another.

        Args:
            other: identity of the existing run; this one is the requested run.

        Returns:
            One text per flag or image, such as `seed was 0, now 3`.
        """
        found = []
        for name in sorted(self.flags.keys() | other.flags.keys()):
            ours, theirs = self.flags.get(name), other.flags.get(name)
            if ours not in (theirs, "auto"):
                had = "not given" if theirs is None else f"{theirs:.80}"
                given = "not given" if ours is None else ours
                found.append(f"{name} was {had}, now {given}")
        for name in sorted(self.images.keys() | other.images.keys()):
            if self.images.get(name) != other.images.get(name):
                found.append(
                    f"{name} is {_ANOTHER.get(name, 'another picture')}"
                )
        return found


def _read_flags(flags: dict[str, str]) -> RunConfig:
    """Parses flags that were written by this or another release.

    Unknown flags are left out; missing flags have their defaults.

    Raises:
        ConfigError: if a value is not valid, or no longer valid.
    """
    known = FIELDS.keys() | flagfile.RETIRED.keys()
    known = flagfile.modernize({n: v for n, v in flags.items() if n in known})
    return RunConfig(
        **{n: parse_text(n, v) for n, v in known.items()}
    ).resolved()


def _steps(config: RunConfig) -> list[int]:
    """Returns the steps per level, or an empty list if `num_levels` is auto."""
    return [] if config.num_levels == "auto" else list(config.steps_by_level)


def _picture_flags(
    config: Config, given: dict[str, str] | None = None
) -> dict[str, str]:
    """Returns the flags of scope `picture`, and unknown flags.

    Args:
        config: the options.
        given: flags that `config` was read from, or None. Unknown flags, of a
            later release, make it a different run.
    """
    config = config.resolved()
    if config.init not in INITS:
        config = dataclasses.replace(config, init="file")
    pairs = [line[2:].partition("=") for line in config.to_flags()]
    flags = {
        name: text
        for name, _, text in pairs
        if FIELDS[name].metadata["scope"] == "picture"
    }
    unknown = {
        name: text
        for name, text in (given or {}).items()
        if name not in FIELDS and name not in flagfile.RETIRED
    }
    return flags | unknown
