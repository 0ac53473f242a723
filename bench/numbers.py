"""The numbers that files may hold: finite, and of a size that sums, charts and pages can take.

Every number of a model that is read from a file has one of these types, or bounds of its own; a test looks.
"""

from typing import Annotated

from pydantic import Field

MOST = 10**18
"""No figure here comes near it: as bytes it is an exabyte, as seconds 30 billion years."""

Whole = Annotated[int, Field(ge=-MOST, le=MOST)]
Count = Annotated[int, Field(ge=0, le=MOST)]
"""A number of things, such as questions, tokens or bytes."""
Positive = Annotated[int, Field(ge=1, le=MOST)]
Real = Annotated[float, Field(ge=-MOST, le=MOST, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, le=MOST, allow_inf_nan=False)]
"""What was measured, such as seconds or joules."""
PositiveReal = Annotated[float, Field(gt=0, le=MOST, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""A part of a whole, or a probability."""
Scalar = str | Whole | Real | bool
"""A plain value that a file gives, such as a setting."""
