"""State of a run between two steps, and checks for restoring it."""

import dataclasses
import reprlib
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfstyle.errors import CheckpointError


@dataclasses.dataclass(frozen=True)
class State:
    """State of a run between two steps.

    Attributes:
        numbers: values that JSON can hold, by name.
        arrays: arrays or variables by name; those in a file are loaded on
            access.
        prefix: beginning of the names of the arrays that belong to this state.
    """

    numbers: Mapping[str, Any]
    arrays: Mapping[str, Any]
    prefix: str = ""

    def part(self, name: str) -> "State":
        """Returns the state of one part of the run, such as the optimizer."""
        numbers = self.numbers.get(name)
        if not isinstance(numbers, dict):
            raise CheckpointError(f"The checkpoint lacks its {name}.")
        return State(numbers, self.arrays, f"{name}/")

    def integer(self, name: str, low: int, high: int) -> int:
        """Returns an integer from `low` to `high`.

        Raises:
            CheckpointError: if the value is not an integer in this range.
        """
        value = self.numbers.get(name)
        if type(value) is not int or not low <= value <= high:
            raise CheckpointError(
                f"The checkpoint's {name} must be from {low} to {high}."
                f" Received: {reprlib.repr(value)}."
            )
        return value

    def reals(self, name: str, count: int) -> list[float]:
        """Returns a list of `count` finite numbers.

        Raises:
            CheckpointError: if the value is not such a list.
        """
        values = self.numbers.get(name)
        if not isinstance(values, list) or len(values) != count:
            raise CheckpointError(
                f"The checkpoint's {name} must be {count} numbers."
                f" Received: {reprlib.repr(values)}."
            )
        for value in values:
            is_number = type(value) in (int, float)
            # This form also rejects NaN and integers beyond the float range.
            if not is_number or not abs(value) <= sys.float_info.max:
                raise CheckpointError(
                    f"The checkpoint's {name} must be finite numbers."
                    f" Received: {reprlib.repr(value)}."
                )
        return [float(value) for value in values]

    def restore(self, name: str, variable) -> None:
        """Assigns an array to a variable of the same shape.

        Raises:
            CheckpointError: if the array is missing or invalid, as in `array`.
        """
        variable.assign(self.array(name, tuple(variable.shape)))

    def array(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Returns an array of finite numbers with the given shape.

        Arrays must be float32; scalars may have any dtype.

        Raises:
            CheckpointError: if the array is missing, not finite, or has another
                shape or dtype.
        """
        array = self.arrays.get(self.prefix + name)
        if array is None or array.shape != shape:
            found = "nothing" if array is None else list(array.shape)
            raise CheckpointError(
                f"The checkpoint's {name} must be of shape {list(shape)}."
                f" Received: {found}."
            )
        if shape and array.dtype != np.float32:
            raise CheckpointError(
                f"The checkpoint's {name} must be of float32. Received:"
                f" {array.dtype}."
            )
        if not np.isfinite(array).all():
            raise CheckpointError(f"The checkpoint's {name} is not finite.")
        return array
