"""The records of a CSV file, each with its line, and every way that one can be broken."""

import csv
from collections.abc import Iterator, Sequence
from io import BufferedReader
from typing import NamedTuple, Self

from api.imports.plan import Bad
from casecore.errors import Malformed

LINE_MAX = 1 << 20
"""Bytes: no honest line is longer."""
BOM = b"\xef\xbb\xbf"


class Record(NamedTuple):
    line: int
    """Its first."""
    values: dict[str, str]

    @property
    def where(self) -> str:
        return f"line {self.line}"


def records(file: BufferedReader, needed: Sequence[str]) -> Iterator[Record | Bad]:
    """Every record; a file without the `needed` columns is refused at its head."""
    lines = Lines(file)
    reader = csv.reader(lines, strict=True)
    header = head(lines, reader, needed)
    while True:
        line = lines.number + 1
        where = f"line {line}"
        lines.trouble = None
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if lines.at_end:
                yield Bad(where, "the file is cut off: a quoted value opens here and never ends")
            else:
                yield Bad(where, f"this is not CSV: {error}")
            continue
        if lines.trouble:
            yield Bad(*lines.trouble)
        elif len(values) == len(header):
            if lines.terminated:
                yield Record(line, dict(zip(header, values, strict=True)))
            else:
                yield Bad(
                    where,
                    "the file ends here without ending the line, so this record may be cut off:"
                    " if it is whole, add a line end",
                )
        elif values:
            yield Bad(where, miscounted(len(values), len(header), cut_off=lines.at_end))


def head(lines: "Lines", reader: Iterator[list[str]], needed: Sequence[str]) -> list[str]:
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise Malformed("not-csv", f"the first line is not CSV: {error}") from None
    if lines.trouble:
        raise Malformed("not-csv", f"{lines.trouble[0]}: {lines.trouble[1]}")
    missing = [column for column in needed if column not in header]
    if missing:
        raise Malformed(
            "columns-missing",
            f"the file has no column {', '.join(missing)}; its first line names"
            f" {', '.join(header) or 'nothing'}",
        )
    for column in header:
        if header.count(column) > 1:
            raise Malformed("column-twice", f"the file has two columns {column}: rename one")
    return header


def miscounted(values: int, columns: int, *, cut_off: bool) -> str:
    told = f"{values} values for {columns} columns"
    if cut_off and values < columns:
        return f"the file is cut off: its last record has {told}"
    return f"{told}: a comma or a quote too {'few' if values < columns else 'many'}"


class Lines:
    """The lines of a file as text. What is wrong with one is kept in `trouble`, for its record."""

    def __init__(self, file: BufferedReader) -> None:
        self.file = file
        self.number = 0
        self.terminated = True
        """Whether the last line had its end."""
        self.trouble: tuple[str, str] | None = None

    @property
    def at_end(self) -> bool:
        return not self.file.peek(1)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        raw = self.file.readline(LINE_MAX)
        if not raw:
            raise StopIteration
        self.number += 1
        self.terminated = raw.endswith(b"\n")
        if self.number == 1:
            raw = raw.removeprefix(BOM)
        where = f"line {self.number}"
        if len(raw) == LINE_MAX and not self.terminated:
            self.trouble = where, f"this line is longer than {LINE_MAX >> 20} MiB"
            while (rest := self.file.readline(LINE_MAX)) and not rest.endswith(b"\n"):
                pass
            return "\n"
        if b"\0" in raw:
            self.trouble = where, "there is a NUL character in this line, which no text can hold"
            raw = raw.replace(b"\0", b"")
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            self.trouble = where, f"this is not UTF-8 at byte {error.start + 1} of the line"
            return raw.decode(errors="replace")
