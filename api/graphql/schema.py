"""The whole schema, put together from the files beside it; ``python -m api.graphql.schema`` prints it.

A new screen or query is a new file here with a class of root fields, named below. Evolution is by addition: a field
is deprecated with a reason before it goes, and there are no versions.
"""

from __future__ import annotations

import sys

import strawberry

from api.graphql.alerts import AlertMutation, AlertQuery
from api.graphql.borrower import BorrowerQuery
from api.graphql.consents import ConsentMutation, ConsentQuery
from api.graphql.contracts import ContractMutation, ContractQuery
from api.graphql.events import EventMutation
from api.graphql.http_view import make_schema
from api.graphql.loans import LoanQuery
from api.graphql.log import LogQuery
from api.graphql.market_rules import MarketRuleQuery
from api.graphql.operator import OperatorMutation
from api.graphql.portfolio import PortfolioQuery
from api.graphql.scoring import ScoringMutation, ScoringQuery
from api.graphql.tenants import TenantQuery
from api.graphql.views import ViewQuery


@strawberry.type(description="Everything that can be read.")
class Query(
    LogQuery,
    TenantQuery,
    LoanQuery,
    BorrowerQuery,
    ConsentQuery,
    ContractQuery,
    ViewQuery,
    AlertQuery,
    PortfolioQuery,
    MarketRuleQuery,
    ScoringQuery,
):
    """Everything that can be read."""


@strawberry.type(description="Everything that can be changed. Each expected refusal is in the payload's errors.")
class Mutation(
    EventMutation,
    ConsentMutation,
    ContractMutation,
    OperatorMutation,
    AlertMutation,
    ScoringMutation,
):
    """Everything that can be changed."""


SCHEMA = make_schema(Query, Mutation)
"""Built once a process; refuses to be built with a field that has no permission."""


def schema_text() -> str:
    """The schema in the schema definition language, as ``schema.graphql`` holds it."""
    return SCHEMA.as_str() + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
