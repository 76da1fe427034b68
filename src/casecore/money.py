"""Money, in whole minor units of one currency."""

from typing import Annotated

import msgspec
from msgspec import Meta

Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", max_length=3, description="ISO 4217 code")]


class Money(msgspec.Struct, frozen=True, order=True):
    """`minor` counts pence, cents, yen: the currency's smallest unit."""

    minor: Annotated[int, Meta(ge=0, le=10**15)]
    currency: Currency

    def __str__(self) -> str:
        return f"{self.minor} {self.currency} (minor units)"
