"""What every section of a configuration is, and the types of its fields."""

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

# An option of a model, data set, rule, attack or schedule, as TOML gives it.
Options: TypeAlias = dict[str, object]
Numbers: TypeAlias = dict[str, Annotated[float, Field(allow_inf_nan=False)]]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
# The records of traces have room for no more.
Steps = Annotated[int, Field(ge=1, lt=4 * 10**9)]
Nodes = Annotated[int, Field(ge=1, le=10**6)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
# Below 1: of a whole there is nothing left for what comes.
Share = Annotated[float, Field(ge=0, lt=1)]
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A table of the file: frozen, no unknown keys, no silent conversions."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )
