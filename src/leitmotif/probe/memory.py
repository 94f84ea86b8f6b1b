"""Bytes that the probes' tests hold in a process: designs of controls, and a block of features."""

from dataclasses import dataclass

from leitmotif.probe.estimators.algebra import DESIGNS
from leitmotif.probe.estimators.decided import REACHED, ROUND
from leitmotif.probe.inputs.registry import ControlSettings

CONTROL_COLUMNS = 42
"""Number of columns of the registered controls on the organism's pieces, before they are bent."""
_FLOAT = 8
_COPIES = 3
"""Of a block's rows while it is tested, besides those that came: measured, as is the next."""

_RANKED = 1_000
"""Bytes of a row of a ranking in memory."""
_ACTIVE, _SORTED = 16, 64
"""Of an active feature: a value of 8 bytes, its number, and its row; and while they are sorted."""
_SHIFTED = 8
"""Bytes of the statistics of all shifts: sums, squares, and what is made of both."""


@dataclass(frozen=True)
class PanelSizes:
    """Sizes of an experiment with one horizon."""

    rows: int
    tracks: int
    folds: int
    free: int
    """Columns of the intercept and of the places in a track."""
    shapes: tuple[int, ...]
    """Columns of the controls in each shape; the last has all."""
    shifts: int
    """Shifts that the features are tested with."""

    @classmethod
    def of(
        cls, settings: ControlSettings, *, rows: int, tracks: int, folds: int, shifts: int
    ) -> "PanelSizes":
        """With the most columns that the controls can have once they are bent."""
        p = CONTROL_COLUMNS
        bends, waves = p * settings.knots, p * settings.waves
        shapes = (p, p + bends, p + waves, p + bends + waves + settings.interactions)
        return cls(rows, tracks, folds, 1 + -(-rows // tracks), shapes, shifts)

    @property
    def columns(self) -> int:
        """Of a design."""
        return self.free + self.shapes[-1]

    @property
    def design(self) -> int:
        """Bytes of a design that every pair of folds was left out of.

        Its rows and those of its controls, their sums in each fold, and for each set of folds that
        is fitted to and each shape the decomposition; for each pair left out both sums, turned.
        """
        pairs = self.folds * (self.folds - 1) // 2
        widths = [self.free + shape for shape in self.shapes]
        turns = (pairs + self.folds) * self.columns * sum(widths)
        turned = 2 * pairs * sum(width**2 for width in widths)
        rows = self.rows * (self.columns + self.shapes[-1])
        own = rows + self.folds * self.columns**2
        return _FLOAT * (own + turns + turned)

    def block(self, features: int) -> int:
        """Bytes of so many features while they are tested together."""
        sums = (self.folds + 1) * self.columns
        products = self.tracks**2 // self.folds
        shifted = _SHIFTED * (self.shifts + 1)
        return _FLOAT * features * (_COPIES * self.rows + sums + products + shifted)

    def process(self, features: int, *, designs: int = DESIGNS) -> int:
        """Bytes of a process that tests blocks of features and keeps its latest designs."""
        return designs * self.design + self.block(features)

    def collected(self, features: int) -> int:
        """Bytes of what is known of so many features before they are corrected together."""
        first = REACHED * 8
        going_on = REACHED / ROUND * _FLOAT * self.tracks**2 / self.folds
        return round(features * 2 * (first + going_on + _RANKED))


def sparse_bytes(active: int, widest: int) -> int:
    """Bytes of so many active features of all autoencoders, and while one of them is sorted.

    ``widest`` are those of the autoencoder that has most.
    """
    return _ACTIVE * active + _SORTED * widest
