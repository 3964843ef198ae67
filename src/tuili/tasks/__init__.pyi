from .building.brief import without_working
from .content import Clause, Clauses, Content, Language, Wording
from .conversations.conversation import ChatMessage, Conversation, Ingredient
from .conversations.converse import converse, takes_follow_up
from .former import current_domain, own_experts, read_domain
from .mutation.mutations import MUTATION_KINDS, mutants, mutate
from .mutation.rewriting import result_start, same_form
from .problem import LEVELS, SEEDS_PER_SPLIT, Draft, Problem, Split
from .registry import (
    BUILT_IN_DOMAINS,
    Domain,
    domain,
    domain_names,
    generate,
    in_every_form,
    phase,
    read_domains,
    trained_domains,
)
from .scoring import last_number, same_amount, same_answer, same_last_number, score
from .unseen import unseen_problems
from .wordings.choice import is_unseen_form
from .wordings.noise import with_noise

__all__ = [
    "BUILT_IN_DOMAINS",
    "LEVELS",
    "MUTATION_KINDS",
    "SEEDS_PER_SPLIT",
    "ChatMessage",
    "Clause",
    "Clauses",
    "Content",
    "Conversation",
    "Domain",
    "Draft",
    "Ingredient",
    "Language",
    "Problem",
    "Split",
    "Wording",
    "converse",
    "current_domain",
    "domain",
    "domain_names",
    "generate",
    "in_every_form",
    "is_unseen_form",
    "last_number",
    "mutants",
    "mutate",
    "own_experts",
    "phase",
    "read_domain",
    "read_domains",
    "result_start",
    "same_amount",
    "same_answer",
    "same_form",
    "same_last_number",
    "score",
    "takes_follow_up",
    "trained_domains",
    "unseen_problems",
    "with_noise",
    "without_working",
]
