from .compiler import CompiledGrammar, GrammarCompiler
from .grammar import Grammar, quoted
from .json_rules import SchemaFault, json_rule
from .state import GrammarState

__all__ = [
    "CompiledGrammar",
    "Grammar",
    "GrammarCompiler",
    "GrammarState",
    "SchemaFault",
    "json_rule",
    "quoted",
]
