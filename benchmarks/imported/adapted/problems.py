"""Writes the 300 problems: `python -m benchmarks.imported.adapted.problems FILE [COUNT]`.

Half are about taxes in brackets, half about recipes for other numbers of people. Each has steps that check, and is
another question also where numbers are left out. The same number gives the same problem on every machine.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
from pathlib import Path
from typing import Any

from tuili.data import masked_question
from tuili.files import whole_file

COUNT = 300
NAMES = [
    "Ada",
    "Bo",
    "Cem",
    "Dana",
    "Eli",
    "Fay",
    "Gus",
    "Hana",
    "Ivo",
    "Jun",
    "Kira",
    "Leo",
    "Mia",
    "Nils",
    "Ola",
    "Pia",
    "Quin",
    "Rosa",
    "Sven",
    "Tara",
    "Ugo",
    "Vera",
    "Wim",
    "Xenia",
    "Yara",
    "Zeno",
]
LANDS = [
    "Arlen",
    "Borun",
    "Cestia",
    "Dorne",
    "Elvia",
    "Fenmark",
    "Galdor",
    "Hestia",
    "Ilmar",
    "Jorva",
    "Kestrel",
    "Lumen",
]
TAXES = (
    "In {land} the first {limit} coins of a year's income are taxed at {low}%, and whatever is above at {high}%. "
    "{name} earns {income} coins. How much tax does {name} pay?",
    "{name} lives in {land} and earned {income} coins this year. Up to {limit} coins the rate is {low}%; the rest is "
    "taxed at {high}%. What is the tax?",
    "Tax in {land}: {low}% on income up to {limit} coins, {high}% on income beyond that. What does {name}, with an "
    "income of {income} coins, owe?",
    "{land} takes {low}% of every coin up to {limit} and {high}% of every coin after. Work out {name}'s tax on "
    "{income} coins.",
    "How many coins of tax are due in {land} if {name} earns {income}, where {low}% is paid on the first {limit} and "
    "{high}% on what exceeds them?",
)
KEPT = (
    "In {land} the first {limit} coins of income are taxed at {low}% and all above at {high}%. After tax, how much of "
    "{income} coins is left to {name}?",
    "{name} makes {income} coins a year in {land}, where the tax is {low}% up to {limit} coins and {high}% beyond. How "
    "much does {name} keep?",
    "What remains to {name} of {income} coins once {land} has taken {low}% of the first {limit} coins and {high}% of "
    "the others?",
)
DISHES = [
    "soup",
    "stew",
    "curry",
    "pie",
    "salad",
    "pudding",
    "risotto",
    "chili",
    "porridge",
    "lasagne",
    "gratin",
    "paella",
]
THINGS = [
    "grams of flour",
    "grams of rice",
    "grams of lentils",
    "millilitres of milk",
    "carrots",
    "onions",
    "tomatoes",
    "spoons of oil",
    "potatoes",
    "grams of cheese",
    "eggs",
    "grams of butter",
]
SCALED = (
    "A {dish} for {people} people takes {amount} {thing}. {name} cooks it for {guests}. How many {thing} are needed?",
    "{name}'s recipe for {dish} serves {people} and asks for {amount} {thing}. How many {thing} does it take to serve "
    "{guests}?",
    "To make {dish} for {people}, use {amount} {thing}. {name} expects {guests} guests. How many {thing} is that?",
    "{amount} {thing} are enough for {people} portions of {dish}. How many {thing} does {name} need for {guests} "
    "portions?",
    "How many {thing} go into {dish} for {guests}, if {name} uses {amount} for {people}?",
)
BOUGHT = (
    "A {dish} for {people} people takes {amount} {thing}. {name} wants to feed {guests} and has {stock} {thing}. How "
    "many must {name} buy?",
    "{name} has {stock} {thing} at home and makes {dish} for {guests}. For {people} people it takes {amount} {thing}. "
    "How many are missing?",
    "For {dish}, {people} people need {amount} {thing}. There are {guests} at {name}'s table and {stock} {thing} in "
    "the kitchen. How many more {thing} does {name} need?",
)


def problems(count: int = COUNT) -> list[dict[str, Any]]:
    """So many records, taxes and recipes in turn."""
    made, seen = list[dict[str, Any]](), set[str]()
    for number in itertools.count():
        if len(made) == count:
            break
        record = (_tax, _recipe)[len(made) % 2](random.Random(f"adapted/{number}"))
        if (masked := masked_question(record["input"])) not in seen:
            seen.add(masked)
            made.append(record | {"id": f"adapted/{len(made)}"})
    return made


def _tax(rng: random.Random) -> dict[str, Any]:
    limit, above = 1000 * rng.randint(4, 30), 100 * rng.randint(5, 300)
    low = rng.choice((5, 8, 10, 12, 15))
    high = low + rng.choice((5, 8, 10, 15, 20))
    keeps = rng.random() < 0.4
    income, first, second = limit + above, limit * low // 100, above * high // 100
    steps = [
        f"{limit} * {low} / 100 = {first}",
        f"{income} - {limit} = {above}",
        f"{above} * {high} / 100 = {second}",
        f"{first} + {second} = {first + second}",
    ]
    answer = first + second
    if keeps:
        answer = income - answer
        steps.append(f"{income} - {first + second} = {answer}")
    words = {"name": rng.choice(NAMES), "land": rng.choice(LANDS)}
    numbers = {"limit": limit, "low": low, "high": high, "income": income}
    return _record(rng.choice(KEPT if keeps else TAXES).format(**words, **numbers), steps, answer)


def _recipe(rng: random.Random) -> dict[str, Any]:
    people, each = rng.randint(2, 8), rng.randint(2, 60)
    guests = rng.choice([number for number in range(3, 31) if number != people])
    amount, needed = people * each, guests * each
    steps, answer = [f"{amount} / {people} = {each}", f"{each} * {guests} = {needed}"], needed
    buys = rng.random() < 0.4
    stock = rng.randint(1, needed - 1)
    if buys:
        answer = needed - stock
        steps.append(f"{needed} - {stock} = {answer}")
    words = {"name": rng.choice(NAMES), "dish": rng.choice(DISHES), "thing": rng.choice(THINGS)}
    numbers = {"people": people, "amount": amount, "guests": guests, "stock": stock}
    return _record(rng.choice(BOUGHT if buys else SCALED).format(**words, **numbers), steps, answer)


def _record(question: str, steps: list[str], answer: int) -> dict[str, Any]:
    return {"input": question, "output": str(answer), "steps": steps, "domain": "word_problems", "level": len(steps)}


def write(path: Path, count: int = COUNT) -> None:
    """Write the problems as a file."""
    with whole_file(path) as part:
        part.write_text("".join(json.dumps(one) + "\n" for one in problems(count)), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else COUNT)
