"""Money, in whole minor units of one currency."""

from typing import Annotated

import msgspec
from msgspec import Meta

Currency = Annotated[
    str, Meta(pattern="^[A-Z]{3}$", max_length=3, description="an ISO 4217 code, such as EUR")
]

DECIMALS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
"""How many digits ISO 4217 gives a currency's minor unit, where it is not two."""


class Money(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """`minor` counts pence, cents, yen: the currency's smallest unit."""

    minor: Annotated[int, Meta(ge=0, le=10**15)]
    currency: Currency

    def __str__(self) -> str:
        decimals = DECIMALS.get(self.currency, 2)
        whole, rest = divmod(self.minor, 10**decimals)
        return (
            f"{whole}.{rest:0{decimals}} {self.currency}"
            if decimals
            else f"{whole} {self.currency}"
        )
