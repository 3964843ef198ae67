"""What a prompt says about its own statements: sentences made of parts, `(this|that)`, with `{}` for a label.

A pattern serves twice: `phrase` draws a sentence from it, `about` reads one. A pattern says which statements it doubts.
"""

from __future__ import annotations

import random
import re

NOUN = "(statements|premises|claims|facts|sentences)"
ONE = "(Exactly one|At most one|Only one|At least one|None|Some|Neither|One|Few)"
PREDICATE = "(is|are) (true|false|wrong|correct)"

DOUBTS = {
    "label": (
        "{} (is|was) (false|wrong|not true|a lie|incorrect|in doubt).",
        "{} (does not|doesn't|does no longer) (hold|apply).",
        "{} (may|might|could) be (true|false).",
        "(Ignore|Forget|Drop|Disregard|Prove|Disprove|Refute) {}.",
        "(Ann|Bob) (denies|doubts|disputes) {}.",
        "Suppose not {}.",
        "Without {}, does C hold?",
        "The (opposite|negation) of {} (holds|is true).",
        "Is {} (true|right|so|true or false|a fact)?",
        "Does {} (hold|apply|follow)?",
        "(Which|Neither|One|Exactly one) of {} and {} (holds|is true).",
        "Which of {} and {} (holds|is true|follows)?",
        "{} or {} (is true|holds).",
        "{} and {} (cannot|can't) both (be true|hold).",
        "Either {} or {} (is true|holds).",
    ),
    "this": (
        "(This|That|It) (is|was) (false|wrong|not true|not so|a lie|untrue|incorrect).",
        "Is (this|that|it) (so|true|right|correct)?",
        "(True or false|Right or wrong|Correct)?",
        "(Wrong|No|False)!",
        "Or else C.",
    ),
    "that": ("(Sorry, |Please |)(ignore|forget|disregard) (that|this|it).",),
    "all": (
        f"{ONE} of (these|the|the two|the above) {NOUN} {PREDICATE}.",
        f"(All|All of|Both of) (these|the) {NOUN} are (false|wrong).",
        f"(The|These) {NOUN} (cannot both|cannot all|can't all) (be true|hold).",
    ),
    "choice": (
        "Which of these (is|are) (true|false|right|wrong)?",
        "Which (is|one is|statement is) (true|false|right|wrong)?",
        f"(Mark|Label) each of the {NOUN} as true or false.",
    ),
    "following": (
        f"{ONE} of the following (holds|is true|is false|{NOUN} is true)(:|.)",
        "(Prove|Show|Prove that|Show that|Refute|Conclusion|Conclusions|Options|Choices)(:|)",
        "(If|Suppose) the following (hold|holds|are true):",
        "(Decide|Determine|Say) whether these (follow|hold|are true).",
        "(Choose|Pick|Select) the (right|true|correct) (statement|claim|one).",
        "Which (follows|of these follows|one follows)?",
    ),
}
PLAIN = {
    "heading": (
        f"Given the following {NOUN}:",
        "(Premises|Facts|Given|Given facts|The premises):",
        "Here are the (facts|premises).",
        "(You are given|We know|Consider) the following (facts|premises|statements):",
        "Use only these (facts|premises).",
    ),
    "title": ("(Logic|A) puzzle",),
    "task": (
        "(Decide|State|Say|Determine) whether (B|the statement B) (is true or false|holds|follows).",
        "(Assuming|Using|Given) these (premises|facts), (is B true|does B hold)?",
        "(Using|Given|From) {} and {}, (does B hold|is B true)?",
        "(Using|From) {} and {}, decide whether (or not )B holds.",
        "(Answer with only yes or no|Think step by step|Answer briefly).",
        "Does B (hold|follow)?",
    ),
}


def phrase(rng: random.Random, kind: str, labels: tuple[str, ...]) -> str:
    """A sentence of a kind."""
    text = rng.choice((DOUBTS | PLAIN)[kind])
    while (made := re.sub(r"\(([^()]*)\)", lambda found: rng.choice(found[1].split("|")), text)) != text:
        text = made
    for label in rng.sample(labels, text.count("{}")):
        text = text.replace("{}", label, 1)
    return text


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(
        re.sub(r"([.?])", r"\\\1", text).replace("(", "(?:").replace("{}", r"([A-Z]\d)"), re.DOTALL | re.IGNORECASE
    )


PATTERNS = [(kind, _pattern(text)) for kind, texts in (DOUBTS | PLAIN).items() for text in texts]


def about(sentence: str) -> tuple[str, tuple[str, ...]]:
    """The kind of a sentence and the labels that it names; no kind for a sentence that is none of these."""
    for kind, pattern in PATTERNS:
        if found := pattern.fullmatch(sentence.strip()):
            return kind, found.groups()
    return "", ()
