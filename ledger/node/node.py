"""One running ledger: everything of this folder put together over one database.

    node = await Node.open(dsn, keyring, origin="tallystick.local/ledger", home=Path(".tallystick"))
    receipt = await node.publisher.publish(...)
    await node.close()

Order of the start: connect and refuse an unfit role; load the head and verify the right edge; begin to commit; compare
with what was published; found the deployment's tenant if this is the first start; then sign and publish.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.node.authority import Authority
from ledger.node.checkpointer import Checkpointer
from ledger.node.clock import Sources
from ledger.node.consents import Consents
from ledger.node.contracts import Contracts
from ledger.node.head_keeper import HeadKeeper
from ledger.node.keyring import Keyring
from ledger.node.log_reader import LogReader
from ledger.node.managed_keys import ManagedKeys
from ledger.node.market_rules import MarketRules
from ledger.node.participants import DEPLOYMENT
from ledger.node.portfolio import Portfolio
from ledger.node.publisher import Publisher
from ledger.node.reader import Reader
from ledger.node.sealer import Sealer
from ledger.node.ticker import Ticker
from ledger.store.database import Database
from ledger.subject.pseudonym import KeyedPseudonyms, Pseudonyms

TRUST_FORMAT = "tallystick-trust/1"


@dataclass(frozen=True)
class Node:
    """The parts of a running ledger that others call."""

    origin: str
    database: Database
    keeper: HeadKeeper
    log: LogReader
    publisher: Publisher
    reader: Reader
    consents: Consents
    authority: Authority
    contracts: Contracts
    ticker: Ticker
    checkpointer: Checkpointer
    pseudonyms: Pseudonyms
    sources: Sources
    sealer: Sealer
    keyring: Keyring
    portfolio: Portfolio
    market_rules: MarketRules

    @classmethod
    async def open(
        cls, dsn: str, keyring: Keyring, *, origin: str, home: Path | None, country: str = "US",
        sources: Sources | None = None,
    ) -> Node:  # fmt: skip
        """Start a ledger over a migrated database. Raises InvalidInput, Unavailable, InvariantBroken, Untrusted.

        ``home`` keeps the published checkpoint outside the database (None: not at all); ``country`` is the
        deployment's own (ISO 3166 alpha-2).
        """
        clock = sources or Sources()
        database, keeper, signer = Database(dsn), HeadKeeper(origin), keyring.signer(origin)
        await database.open()
        try:
            async with database.writing() as connection:
                await keeper.load(connection, clock.now())
            log, operator = LogReader(database, origin, signer), keyring.operator_key()
            sealer = Sealer(database, keyring.master, clock)
            keys = ManagedKeys(database, keyring, clock)
            publisher = Publisher(database, keeper, log, sealer, keys, clock, origin)
            reader = Reader(database, publisher, log, sealer, operator, clock, origin)
            authority = Authority(database, publisher, keys, clock, country)
            node = cls(
                origin, database, keeper, log, publisher, reader,
                Consents(database, publisher, operator, clock),
                authority,
                Contracts(database, publisher, authority, sealer, clock),
                Ticker(database, publisher, keys, clock, country),
                Checkpointer(database, log, signer.verifier, clock, home),
                KeyedPseudonyms(keyring.pseudonym), clock, sealer, keyring, Portfolio(database, sealer),
                MarketRules(database, publisher, reader, operator, clock),
            )  # fmt: skip
            await publisher.start()
            await node.checkpointer.compare()
            if not log.frozen:
                await node.authority.found()
            await node.checkpointer.start()
        except BaseException:
            await database.close()
            raise
        return node

    async def close(self) -> None:
        """Finish what is under way, publish the head, disconnect."""
        await self.ticker.stop()
        await self.publisher.stop()
        await self.checkpointer.stop()
        await self.database.close()

    def trust(self) -> dict[str, Any]:
        """What a verifier must know beforehand: the log's note key and the deployment's batch key."""
        operator = self.authority.operator.public_jwk()
        return {
            "format": TRUST_FORMAT,
            "log": self.keyring.signer(self.origin).verifier.encode(),
            "operator": {name: operator[name] for name in ("crv", "kty", "x")},
            "operatorTenant": DEPLOYMENT,
        }
