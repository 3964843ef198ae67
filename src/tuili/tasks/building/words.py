"""The words that domains draw from. The lists are short, so that all prompts fit a vocabulary of 2,000 tokens.

Every plural ends in a plain `s`, so that `singular` is exact. No word is a keyword, a function or a unit of the step
language. Each domain provides the sentences around the words; `wording` has what they share.
"""

from __future__ import annotations

# fmt: off
FIRST_NAMES = (
    "Amy", "Ann", "Ben", "Bob", "Cid", "Dan", "Eve", "Fay", "Gus", "Hal", "Ida", "Ira", "Jim", "Joe", "Kay",
    "Kim", "Leo", "Liz", "Mel", "Mia", "Ned", "Nia", "Ola", "Pam", "Ray", "Roy", "Sam", "Sue", "Tom", "Uma",
    "Wes", "Zoe",
)
ANIMALS = (
    "ants", "bats", "bears", "bees", "birds", "cats", "cows", "crabs", "dogs", "ducks", "frogs", "goats",
    "hens", "horses", "owls", "pigs", "rats", "seals", "snakes", "tigers",
)
PEOPLE = (
    "actors", "artists", "cooks", "doctors", "drivers", "farmers", "guards", "judges", "kings", "nurses",
    "pilots", "poets", "sailors", "singers", "students", "teachers", "twins", "writers",
)
FOODS = (
    "apples", "beans", "cakes", "carrots", "eggs", "grapes", "lemons", "melons", "nuts", "onions", "oranges",
    "pears", "pies", "plums", "rolls", "tarts",
)
OBJECTS = (
    "balls", "beads", "books", "bottles", "bricks", "cards", "chairs", "coins", "cups", "dolls",
    "flags", "hats", "lamps", "marbles", "pens", "pins", "plates", "ribbons", "ropes", "shells",
    "spoons", "stamps", "stickers", "stones", "tables", "tickets", "toys",
)
COLOURS = (
    "black", "blue", "brown", "gold", "green", "grey", "orange", "pink", "purple", "red", "white", "yellow",
)
PLACES = (
    "camp", "club", "fair", "farm", "garden", "hotel", "library", "market", "museum", "office", "park",
    "school", "shop", "station",
)
CONTAINERS = ("bags", "baskets", "bowls", "crates", "jars", "packs", "racks", "rows", "sacks", "trays")
VEHICLES = ("bike", "boat", "bus", "car", "cart", "sled", "train", "tram", "truck", "van")
VARIABLES = ("a", "b", "c", "d", "k", "n", "p", "q", "r", "t", "u", "v", "w", "x", "y", "z")
# fmt: on

THINGS = FOODS + OBJECTS
CLASS_NOUNS = ANIMALS + PEOPLE
"""The classes in syllogisms."""


def singular(plural: str) -> str:
    """The singular of a plural from these lists: `coins` → `coin`."""
    return plural.removesuffix("s")
