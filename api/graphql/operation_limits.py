"""What a document may cost, decided before the standard validation and before anything runs.

Rules, cheapest first
- Tokens: 1,000 with an access token, 500 without; the parser stops there. Validation compares every two selections of a
  field, so that 300 times ``n{n{a}}`` would take a second of processor time.
- Fragments followed, introspection apart: at most 12 levels, 30 aliases, 10 mutations in one operation.
- Objects: page sizes (``first``, ``last``) multiplied down the nesting, at most 5,000. A variable counts as its value,
  anything unreadable as a full page.
- Without a token no introspection and no suggestions: the schema is published as a file anyway.
- A document that was valid once is neither parsed nor validated again while it is remembered.

    Schema(query, extensions=[operation_limits()])

It does not look at time or at who called how often.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    specified_rules,
    validate,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from api.limits import (
    ALIASES_MAX,
    DEPTH_MAX,
    DOCUMENTS_CACHED_MAX,
    ERRORS_MAX,
    MUTATIONS_MAX,
    NODES_MAX,
    PAGE_MAX,
    TOKENS_ANONYMOUS_MAX,
    TOKENS_MAX,
)

_RULES: Final = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
_ANONYMOUS_RULES: Final = (*_RULES, NoSchemaIntrospectionCustomRule)
_PAGE_ARGUMENTS: Final = frozenset({"first", "last"})

_Key = tuple[str, bool]


class Weight(NamedTuple):
    """What a selection asks for: levels below it, aliases in all, fields directly in it, objects in all."""

    depth: int = 0
    aliases: int = 0
    width: int = 0
    nodes: int = 0

    def beside(self, other: Weight) -> Weight:
        """Both, in one selection."""
        return Weight(
            max(self.depth, other.depth),
            self.aliases + other.aliases,
            self.width + other.width,
            self.nodes + other.nodes,
        )


def operation_limits() -> Callable[[], SchemaExtension]:
    """The extension of a schema, with its own memory of documents."""
    remembered: OrderedDict[_Key, DocumentNode] = OrderedDict()
    return lambda: OperationLimits(remembered)


class OperationLimits(SchemaExtension):
    """Applies the rules above to one operation; reads ``context.principal``."""

    def __init__(self, remembered: OrderedDict[_Key, DocumentNode]) -> None:
        self._remembered = remembered

    def on_operation(self) -> Iterator[None]:
        """Tell the parser where to stop."""
        self.execution_context.parse_options["max_tokens"] = TOKENS_ANONYMOUS_MAX if self._anonymous else TOKENS_MAX
        yield

    def on_parse(self) -> Iterator[None]:
        """Take a document that was valid before."""
        known = self._remembered.get(self._key)
        if known is not None:
            self._remembered.move_to_end(self._key)
            self.execution_context.graphql_document = known
        yield

    def on_validate(self) -> Iterator[None]:
        """Refuse the expensive, then validate, unless this document was valid before."""
        context = self.execution_context
        if context.graphql_document is not None:
            refusal = refuse_expensive(context.graphql_document, context.variables or {})
            refusal = refusal or refuse_ambiguous(context.graphql_document, context._provided_operation_name)
            context.pre_execution_errors = [refusal] if refusal else self._validate(context.graphql_document)
        yield

    def _validate(self, document: DocumentNode) -> list[GraphQLError]:
        if self._remembered.get(self._key) is document:
            return []
        rules = _ANONYMOUS_RULES if self._anonymous else _RULES
        core = self.execution_context.schema._schema
        errors = validate(core, document, rules, max_errors=ERRORS_MAX, hide_suggestions=self._anonymous)
        if not errors:
            self._remember(document)
        return errors

    def _remember(self, document: DocumentNode) -> None:
        self._remembered[self._key] = document
        while len(self._remembered) > DOCUMENTS_CACHED_MAX:
            self._remembered.popitem(last=False)

    @property
    def _anonymous(self) -> bool:
        return self.execution_context.context.principal is None

    @property
    def _key(self) -> _Key:
        return self.execution_context.query or "", self._anonymous


def refuse_expensive(document: DocumentNode, variables: Mapping[str, Any]) -> GraphQLError | None:
    """The reason to refuse the document, or None. Its ``extensions.code`` says which bound it breaks."""
    scale = _Scale(document, variables)
    try:
        for operation in document.definitions:
            if isinstance(operation, OperationDefinitionNode):
                _check(scale.weigh(operation.selection_set, 1), operation.operation)
    except GraphQLError as refusal:
        return refusal
    return None


def refuse_ambiguous(document: DocumentNode, name: str | None) -> GraphQLError | None:
    """Two operations and no name: the library would run the first, the specification (section 6.1) none."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if name is not None or len(operations) < 2:
        return None
    return GraphQLError(
        "A document of several operations needs operationName.", extensions={"code": "OPERATION_NAME_REQUIRED"}
    )


def _check(weight: Weight, operation: OperationType) -> None:
    if weight.aliases > ALIASES_MAX:
        raise _too_much("TOO_MANY_ALIASES", f"at most {ALIASES_MAX} aliases")
    if operation is OperationType.MUTATION and weight.width > MUTATIONS_MAX:
        raise _too_much("TOO_MANY_MUTATIONS", f"at most {MUTATIONS_MAX} mutations in one request")
    if weight.nodes > NODES_MAX:
        raise _too_much("TOO_MANY_NODES", f"at most {NODES_MAX} objects, page sizes multiplied down the nesting")


class _Scale:
    """Weighs selections of one document; each fragment once, so that fragments of fragments stay cheap."""

    def __init__(self, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._variables = variables
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._weighed: dict[str, Weight] = {}

    def weigh(self, selected: SelectionSetNode, level: int) -> Weight:
        """The weight of a selection at ``level`` (1: the operation's own)."""
        _check_depth(level)
        whole = Weight()
        for node in selected.selections:
            if isinstance(node, FieldNode):
                whole = whole.beside(self._weigh_field(node, level))
            elif isinstance(node, InlineFragmentNode):
                whole = whole.beside(self.weigh(node.selection_set, level))
            elif isinstance(node, FragmentSpreadNode):
                whole = whole.beside(self._weigh_fragment(node.name.value, level))
        return whole

    def _weigh_field(self, node: FieldNode, level: int) -> Weight:
        aliases = 0 if node.alias is None else 1
        if node.selection_set is None or node.name.value.startswith("__"):
            return Weight(aliases=aliases, width=1)
        inside = self.weigh(node.selection_set, level + 1)
        return Weight(inside.depth + 1, aliases + inside.aliases, 1, self._page(node) * (1 + inside.nodes))

    def _weigh_fragment(self, name: str, level: int) -> Weight:
        if name not in self._weighed:
            fragment = self._fragments.get(name)
            # Nothing while it is being weighed: the standard rules report a circle, and an unknown name.
            self._weighed[name] = Weight()
            if fragment is not None:
                self._weighed[name] = self.weigh(fragment.selection_set, 1)
        _check_depth(level + self._weighed[name].depth)
        return self._weighed[name]

    def _page(self, node: FieldNode) -> int:
        sizes = [
            self._size(argument.value) for argument in node.arguments or () if argument.name.value in _PAGE_ARGUMENTS
        ]
        return max(sizes, default=1)

    def _size(self, value: object) -> int:
        if isinstance(value, IntValueNode) and len(value.value) <= 6:
            return max(1, int(value.value))
        if isinstance(value, VariableNode):
            given = self._variables.get(value.name.value)
            if isinstance(given, int) and not isinstance(given, bool):
                return max(1, given)
        return PAGE_MAX


def _check_depth(level: int) -> None:
    if level > DEPTH_MAX:
        raise _too_much("DOCUMENT_TOO_DEEP", f"at most {DEPTH_MAX} levels")


def _too_much(code: str, bound: str) -> GraphQLError:
    return GraphQLError(f"The operation asks for too much: {bound}.", extensions={"code": code})
