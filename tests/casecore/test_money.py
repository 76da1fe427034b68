import pytest

from casecore.money import Money


@pytest.mark.parametrize(
    ("minor", "currency", "said"),
    [
        (1005, "GBP", "10.05 GBP"),
        (5, "EUR", "0.05 EUR"),
        (500, "JPY", "500 JPY"),
        (12345, "KWD", "12.345 KWD"),
    ],
)
def test_money_is_said_in_its_major_unit(minor: int, currency: str, said: str) -> None:
    assert str(Money(minor, currency)) == said
