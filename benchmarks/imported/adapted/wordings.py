"""The words of the problems: wordings that are taught, those that are kept for the test, and what stands in both.

Which numbers stand in them is left to `problems`.
"""

from __future__ import annotations

NAMES = [
    "Ada", "Bo", "Cem", "Dana", "Eli", "Fay", "Gus", "Hana", "Ivo", "Jun", "Kira", "Leo", "Mia", "Nils", "Ola", "Pia",
    "Quin", "Rosa", "Sven", "Tara", "Ugo", "Vera", "Wim", "Xenia", "Yara", "Zeno",
]  # fmt: skip
LANDS = [
    "Arlen", "Borun", "Cestia", "Dorne", "Elvia", "Fenmark", "Galdor", "Hestia", "Ilmar", "Jorva", "Kestrel", "Lumen",
]  # fmt: skip
DISHES = [
    "soup", "stew", "curry", "pie", "salad", "pudding", "risotto", "chili", "porridge", "lasagne", "gratin", "paella",
]  # fmt: skip
THINGS = [
    "grams of flour", "grams of rice", "grams of lentils", "millilitres of milk", "carrots", "onions", "tomatoes",
    "spoons of oil", "potatoes", "grams of cheese", "eggs", "grams of butter",
]  # fmt: skip

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
    "Two rates apply in {land}: {low}% for the first {limit} coins that somebody earns, {high}% for all further ones. "
    "{name} earned {income} coins. How large is the bill?",
)
"""What is to be paid."""
KEPT = (
    "In {land} the first {limit} coins of income are taxed at {low}% and all above at {high}%. After tax, how much of "
    "{income} coins is left to {name}?",
    "{name} makes {income} coins a year in {land}, where the tax is {low}% up to {limit} coins and {high}% beyond. How "
    "much does {name} keep?",
    "What remains to {name} of {income} coins once {land} has taken {low}% of the first {limit} coins and {high}% of "
    "the others?",
    "Of {income} coins {name} must give {low}% of those up to {limit} and {high}% of those above to the crown of "
    "{land}. How many may {name} put aside?",
)
"""What is left."""
SCALED = (
    "A {dish} for {people} people takes {amount} {thing}. {name} cooks it for {guests}. How many {thing} are needed?",
    "{name}'s recipe for {dish} serves {people} and asks for {amount} {thing}. How many {thing} does it take to serve "
    "{guests}?",
    "To make {dish} for {people}, use {amount} {thing}. {name} expects {guests} guests. How many {thing} is that?",
    "{amount} {thing} are enough for {people} portions of {dish}. How many {thing} does {name} need for {guests} "
    "portions?",
    "How many {thing} go into {dish} for {guests}, if {name} uses {amount} for {people}?",
    "{people} plates of {dish} call for {amount} {thing}. {name} wants to fill {guests} plates. How many {thing} is "
    "the right amount?",
)
"""What so many guests need."""
BOUGHT = (
    "A {dish} for {people} people takes {amount} {thing}. {name} wants to feed {guests} and has {stock} {thing}. How "
    "many must {name} buy?",
    "{name} has {stock} {thing} at home and makes {dish} for {guests}. For {people} people it takes {amount} {thing}. "
    "How many are missing?",
    "For {dish}, {people} people need {amount} {thing}. There are {guests} at {name}'s table and {stock} {thing} in "
    "the kitchen. How many more {thing} does {name} need?",
    "{name} invited {guests} people to {dish}. The book says {amount} {thing} for {people}, and the cupboard holds "
    "{stock} {thing}. How many belong on the shopping list?",
)
"""What is missing for so many guests."""

KEPT_BACK_TAXES = (
    "{name}'s wages came to {income} coins. The treasury of {land} charges {low} percent until they reach {limit}, and "
    "{high} percent from there on. What does it collect?",
)
KEPT_BACK_KEPT = (
    "How rich is {name} after paying {land}'s duty on a salary of {income} coins? Below {limit} it is {low} percent of "
    "each coin; past that point, {high} percent.",
)
KEPT_BACK_SCALED = (
    "Grandmother wrote down: {amount} {thing}, and {people} people will be full of {dish}. Today {guests} hungry "
    "friends visit {name}. How many {thing} go in the pot?",
    "When a canteen offers {dish}, every {people} eaters share {amount} {thing}. This noon {guests} sit down. How many "
    "{thing} should {name} have ordered?",
)
KEPT_BACK_BOUGHT = (
    "Tonight {name} serves {dish} to {guests}. Every {people} portions swallow {amount} {thing}; the pantry already "
    "has {stock}. By how much does it fall short?",
)
"""Wordings that no problem has that is taught."""
