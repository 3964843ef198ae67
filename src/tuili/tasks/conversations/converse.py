"""Puts a problem into a conversation: courtesies, a system message, earlier turns, or a follow-up that needs them.

`texts` has the texts, and `follow_ups` makes the follow-ups. Every step is valid in the context of the whole
conversation: anything that would change that is drawn again or left out.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from itertools import chain

from tuili.errors import InputError
from tuili.steps import Context
from tuili.tasks.content import Language, Wording
from tuili.tasks.conversations.conversation import ChatMessage, Conversation, Ingredient
from tuili.tasks.conversations.follow_ups import FollowUp, FollowUps
from tuili.tasks.conversations.shapes import HELD_OUT, SEEN
from tuili.tasks.conversations.texts import Text, texts_of
from tuili.tasks.problem import Problem
from tuili.tasks.registry import generate

MAX_TURNS = 3
_SHARES = {Ingredient.COURTESY: 0.4, Ingredient.SYSTEM: 0.5, Ingredient.TURNS: 0.4, Ingredient.FOLLOW_UP: 0.3}
"""How often a conversation has each ingredient, if the caller does not choose them."""
_RELATED_SHARE = 0.5
"""How often an earlier turn is another problem instead of small talk."""
_ANOTHER_INDEX = 1_000_000_000
"""The smallest index of a problem in an earlier turn."""
_GOES_ON = (",", "，")
"""After these a sentence continues on the same line."""
_COURTESIES = 40
"""How many courtesies are tried to find one that does not change the question. Bare logic, for one, takes none."""
_TRIES, _RELATED_TRIES = 6, 2
"""How often a conversation is drawn to get valid steps, and how many of these draws may have related turns."""


def converse(
    problem: Problem,
    rng: random.Random,
    *,
    wording: Wording | str = Wording.SEEN,
    held_out: bool = False,
    ingredients: Collection[Ingredient] | None = None,
) -> Conversation:
    """A conversation in the language of a problem. Its last question is the problem or a follow-up to it.

    Args:
        wording: the forms of earlier problems.
        held_out: whether to use the held-out system messages, courtesies, small talk and follow-ups, which training
            never uses.
        ingredients: what the conversation has; drawn if None, with a follow-up only if the problem takes one.
    Raises `InputError` if a follow-up is requested for a problem whose answer is not a whole number.
    """
    if ingredients is None:
        chosen = _drawn(rng, FollowUps(problem, rng, SEEN).is_possible)
    else:
        chosen = frozenset(map(Ingredient, ingredients))
    return _Conversing(problem, rng, Wording(wording), HELD_OUT if held_out else SEEN).make(chosen)


def takes_follow_up(problem: Problem) -> bool:
    """Whether a follow-up that needs the answer to this problem is possible."""
    return FollowUps(problem, random.Random(0), SEEN).is_possible


def _drawn(rng: random.Random, may_follow: bool) -> frozenset[Ingredient]:
    while True:
        drawn = frozenset(one for one, share in _SHARES.items() if rng.random() < share)
        if not may_follow:
            drawn -= {Ingredient.FOLLOW_UP}
        if drawn:
            return drawn


class _Conversing:
    """Makes one conversation."""

    def __init__(self, problem: Problem, rng: random.Random, wording: Wording, part: str) -> None:
        self._problem, self._rng, self._wording, self._part = problem, rng, wording, part
        self._texts: list[str] = []

    def make(self, ingredients: frozenset[Ingredient]) -> Conversation:
        for attempt in range(_TRIES):
            self._texts = []
            follow_up = self._follow_up() if Ingredient.FOLLOW_UP in ingredients else None
            before = list[ChatMessage]()
            if Ingredient.SYSTEM in ingredients:
                text = self._text("system")
                self._texts.append(text.id)
                before.append(ChatMessage("system", text.pieces[0]))
            turns = self._turns(attempt < _RELATED_TRIES) if Ingredient.TURNS in ingredients else []
            made = self._made(ingredients, follow_up, [*before, *chain.from_iterable(map(_messages, turns))])
            is_alone = not follow_up and all(isinstance(turn, Text) for turn in turns)
            if is_alone or not made.fault:
                return made
        raise InputError(f"problem {self._problem.id}: no valid conversation in {_TRIES} tries; the last: {made.fault}")

    def _made(
        self, ingredients: frozenset[Ingredient], follow_up: FollowUp | None, before: list[ChatMessage]
    ) -> Conversation:
        problem = self._problem
        if follow_up:
            needed = list(chain.from_iterable(map(_messages, follow_up.earlier)))
            asked, plain, domain = follow_up.question, follow_up.plain, follow_up.domain
            steps, answer = follow_up.steps, follow_up.answer
        else:
            needed, asked, plain, domain = [], problem.prompt, problem.prompt, problem.domain
            steps, answer = problem.steps, problem.answer
        if Ingredient.COURTESY in ingredients:
            asked = self._with_courtesy(asked)
        messages = (*before, *needed, ChatMessage("user", asked))
        return Conversation(problem, ingredients, messages, plain, steps, answer, domain, tuple(self._texts))

    def _follow_up(self) -> FollowUp:
        found = FollowUps(self._problem, self._rng, self._part)
        another = self._another() if found.is_possible and self._rng.random() < 0.5 else None
        if not (drawn := found.draw(another)):
            raise InputError(f"problem {self._problem.id}: no follow-up fits its answer {self._problem.answer!r}")
        self._texts.append(drawn.kind)
        return drawn

    def _another(self) -> Problem:
        """Another problem of the same domain and split."""
        one = self._problem
        index = _ANOTHER_INDEX + self._rng.randrange(_ANOTHER_INDEX)
        return generate(one.domain, one.seed, index, min(one.level, 2), wording=self._wording, language=one.language)

    def _turns(self, related: bool) -> list[Text | Problem]:
        """One to three earlier turns: small talk, and other problems if `related`."""
        turns: list[Text | Problem] = []
        talk = self._rng.sample(texts_of("talk", self._problem.language, self._part), MAX_TURNS)
        for text in talk[: self._rng.randint(1, MAX_TURNS)]:
            another = self._another() if related and self._rng.random() < _RELATED_SHARE else None
            if another:
                turns.append(another)
            else:
                self._texts.append(text.id)
                turns.append(text)
        return turns

    def _with_courtesy(self, question: str) -> str:
        """The question with a courtesy that does not change what it gives the checker; without one if none fits."""
        given = Context.from_prompt(question)
        for _ in range(_COURTESIES):
            text = self._text("politeness")
            space = "" if self._problem.language is Language.ZH else " "
            between = space if text.pieces[0].endswith(_GOES_ON) else self._rng.choice((space, "\n"))
            pieces = {"before": (*text.pieces, question), "behind": (question, *text.pieces)}
            polite = between.join(pieces.get(text.group, (text.pieces[0], question, text.pieces[-1])))
            if Context.from_prompt(polite) == given:
                self._texts.append(text.id)
                return polite
        return question

    def _text(self, kind: str) -> Text:
        return self._rng.choice(texts_of(kind, self._problem.language, self._part))


def _messages(turn: Text | Problem | tuple[str, str]) -> tuple[ChatMessage, ChatMessage]:
    match turn:
        case Text(pieces=(question, answer)) | Problem(prompt=question, answer=answer) | (question, answer):
            return ChatMessage("user", question), ChatMessage("assistant", answer)
    raise AssertionError(f"{turn} is no turn")
