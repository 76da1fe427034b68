"""What every event is."""

import msgspec


class Event(msgspec.Struct, frozen=True):
    """A fact, in the past tense. Who and when are recorded with it, not in it.

    Subclasses are the storage format: a field may be added, with a default; nothing is ever
    renamed, retyped or removed.
    """

    def told(self) -> str:
        """What happened, to follow the name of who did it: "ada *escalated the complaint …*"."""
        raise NotImplementedError
