"""An estimate with its interval, as tables and metrics hold it."""

from typing import Any, Self, overload

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from leitmotif.intervals import Interval
from leitmotif.tables.base import Count, Share, Table


class IntervalRow(Table):
    """A rounded estimate with its 95 % interval; what follows it is left out where unknown."""

    mean: float
    low: float
    high: float
    p: Share | None = None
    """Two-sided p-value of no effect, three significant digits. Left out where no
    effect is no question: of a rate, a share, a level, and how well anything predicts."""
    n: Count | None = None
    """Tracks, or draws, that the estimate rests on."""
    changed: Count | None = None
    """Of a change of a rate: how many of the ``n`` changed at all. If none did, the interval says
    nothing but how many they are."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"the interval ends at {self.high}, before it begins at {self.low}")
        return self

    @classmethod
    def of(
        cls,
        interval: Interval,
        digits: int = 5,
        *,
        p: float | None = None,
        n: int | None = None,
        changed: int | None = None,
    ) -> Self:
        """Round an interval to decimal places."""
        return cls(
            mean=round(interval.mean, digits),
            low=round(interval.low, digits),
            high=round(interval.high, digits),
            p=None if p is None else three_digits(p),
            n=n,
            changed=changed,
        )

    @property
    def interval(self) -> Interval:
        """The numbers, as computations take them."""
        return Interval(self.mean, self.low, self.high)

    @model_serializer(mode="wrap")
    def _known(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value is not None}


def three_digits(value: float) -> float:
    """Rounded to three significant digits."""
    return float(f"{value:.3g}")


@overload
def as_metric(row: IntervalRow) -> dict[str, Any]: ...
@overload
def as_metric(row: None) -> None: ...
@overload
def as_metric(row: IntervalRow | None) -> dict[str, Any] | None: ...
def as_metric(row: IntervalRow | None) -> dict[str, Any] | None:
    """An interval as metrics files hold it; None where nothing was measured."""
    return None if row is None else row.model_dump(mode="json")
