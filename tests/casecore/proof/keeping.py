"""A process that seals a ledger, to be killed: python -m … URL KEY FOLDER FOLDER."""

import asyncio
import sys
from pathlib import Path

from casecore.appender import Appender
from casecore.database import connect, ledger_id
from casecore.proof.sealed import SealedLedger
from casecore.proof.sealing import ProofSettings, Sealing

MINUTES_MAX = 5


async def keep(url: str, given: ProofSettings) -> None:
    pool = await connect(url)
    id = await ledger_id(pool, "main")
    sealing = Sealing(SealedLedger(pool, id, "main"), Appender(pool, id), given)
    sealing.start(url)
    print("sealing", flush=True)
    await asyncio.sleep(MINUTES_MAX * 60)


if __name__ == "__main__":
    url, key, *folders = sys.argv[1:]
    asyncio.run(keep(url, ProofSettings(Path(key), tuple(Path(folder) for folder in folders))))
