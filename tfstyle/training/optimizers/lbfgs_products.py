"""Inner products of the correction pairs of L-BFGS, on the host."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfstyle.training.state import State


class Measured(NamedTuple):
    """Numbers of a trial image that the host reads from the device.

    g0 and g are the gradients at the old image and the trial, y is g - g0, d
    the direction and P the preconditioner.

    Attributes:
        start: value at the old image.
        value: value at the trial.
        start_slope: g0 d.
        slope: g d.
        slope_rise: y d.
        rise: y P y.
        slope_of_change: g P y.
        by_gradient: products of g with the ring's rows: every s, every P y.
        by_change: products of y with the ring's rows: every s, every P y.
    """

    start: float
    value: float
    start_slope: float
    slope: float
    slope_rise: float
    rise: float
    slope_of_change: float
    by_gradient: np.ndarray
    by_change: np.ndarray

    @classmethod
    def of(cls, numbers: np.ndarray) -> "Measured":
        """Unpacks the vector returned by `lbfgs_steps.measure`."""
        numbers = numbers.astype(np.float64)
        first, products = np.split(numbers, [len(cls._fields) - 2])
        return cls(*first.tolist(), *np.split(products, 2))


class Products:
    """Products of correction pairs with each other and with the gradient.

    Args:
        num_rows: number of correction pairs in the ring.

    Attributes:
        curvatures: s_i y_j, float64 `[rows, rows]`, valid if i is not newer.
        gradient_energies: y_i P y_j, float64 `[rows, rows]`.
        slopes: s_i g, float64 `[rows]`.
        preconditioned_slopes: y_i P g, float64 `[rows]`.
    """

    def __init__(self, num_rows: int):
        self.curvatures, self.gradient_energies = np.zeros(
            [2, num_rows, num_rows]
        )
        self.slopes, self.preconditioned_slopes = np.zeros([2, num_rows])

    def move(self, measured: Measured) -> None:
        """Stores the products with the gradient at a new image."""
        self.slopes, self.preconditioned_slopes = np.split(
            measured.by_gradient, 2
        )

    def add_pair(self, row: int, step: float, measured: Measured) -> None:
        """Stores the products of a new pair, s = step d and y.

        Args:
            row: row of the ring that receives the pair.
            step: step along the direction.
            measured: numbers of the new image, already passed to `move`.
        """
        self.curvatures[:, row], gradient_energies = np.split(
            measured.by_change, 2
        )
        self.curvatures[row, row] = step * measured.slope_rise
        self.gradient_energies[:, row] = self.gradient_energies[row] = (
            gradient_energies
        )
        self.gradient_energies[row, row] = measured.rise
        self.slopes[row] = step * measured.slope
        self.preconditioned_slopes[row] = measured.slope_of_change

    def direction_coefficients(
        self, rows: Sequence[int], scale: float
    ) -> np.ndarray:
        """Computes the coefficients of H g - scale P g in the stored vectors.

        With the pairs as columns of S and Y, R the upper triangle of S^T Y and
        D its diagonal: `p = R^-1 S^T g` are the coefficients of -scale P Y, and
        `R^-T ((D + scale Y^T P Y) p - scale Y^T P g)` the coefficients of S.

        Args:
            rows: rows that hold pairs, oldest first.
            scale: scale of the preconditioner in the initial inverse Hessian.

        Returns:
            float64 `[2 num_rows]`: coefficients of every s and every P y.

        References:
            Byrd, Nocedal and Schnabel, Representations of quasi-Newton
            matrices and their use in limited memory methods, 1994, eq. 3.1.
        """
        of_positions, of_gradients = factors = np.zeros([2, len(self.slopes)])
        triangle = np.triu(self.curvatures[np.ix_(rows, rows)])
        middle = scale * self.gradient_energies[np.ix_(rows, rows)]
        middle[np.diag_indices(len(rows))] += np.diag(triangle)
        solution = np.linalg.solve(triangle, self.slopes[rows])
        change = middle @ solution - scale * self.preconditioned_slopes[rows]
        of_positions[rows] = np.linalg.solve(triangle.T, change)
        of_gradients[rows] = -scale * solution
        return factors.ravel()

    def to_numbers(self) -> dict[str, list[float]]:
        """Returns all products by name, in the format of a `State`."""
        return {name: array.ravel().tolist() for name, array in self._arrays()}

    def restore(self, state: State) -> None:
        """Restores the products from a state.

        Raises:
            CheckpointError: if the number of rows differs.
        """
        for name, array in self._arrays():
            array.flat = state.reals(name, array.size)

    def _arrays(self):
        return vars(self).items()
