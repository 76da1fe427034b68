"""Files that go out: what the ledger had at a position, in the formats that others read."""
