"""Guess the animal: `python -m examples.guess_the_animal` (`--language es`: en español).

The program thinks of an animal of the jungle. After each wrong guess the model tells something about it, without its
name. An empty line gives up.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence

from examples.model import Model, opened, run
from playground.errors import PlaygroundError

ANIMALS = {
    "en": ("elephant", "lion", "giraffe", "hippopotamus", "monkey", "tiger", "crocodile", "parrot"),
    "es": ("elefante", "león", "jirafa", "hipopótamo", "mono", "tigre", "cocodrilo", "loro"),
}
WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "start": "I am thinking of an animal that lives in the jungle. Which one?",
        "guess": "Your guess (nothing gives up): ",
        "wrong": "No. A hint:",
        "right": "Right! It was the {animal}. Guesses: {count}.",
        "over": "It was the {animal}.",
        "no_hint": "(There is no hint: {why})",
        "prompt": "Q: Tell one fact about the {animal}, without saying its name.\nA:",
        "said": "Q: Tell another fact about the {animal}, without saying its name. Not this one: {hints}\nA:",
    },
    "es": {
        "start": "Estoy pensando en un animal que vive en la selva. ¿Cuál es?",
        "guess": "Tu respuesta (vacía para rendirte): ",
        "wrong": "No. Una pista:",
        "right": "¡Correcto! Era: {animal}. Intentos: {count}.",
        "over": "Era: {animal}.",
        "no_hint": "(No hay pista: {why})",
        "prompt": "P: Di una característica de este animal: {animal}, sin decir su nombre.\nR:",
        "said": "P: Di otra característica de este animal: {animal}, sin decir su nombre. Esta no: {hints}\nR:",
    },
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Guess the animal.")
    parser.add_argument("--model", help="server/model; else the first that is listed")
    parser.add_argument("--language", choices=sorted(WORDS), default="en")
    parser.add_argument("--seed", type=int, help="the same number thinks of the same animal")
    given = parser.parse_args(arguments)
    animal = random.Random(given.seed).choice(ANIMALS[given.language])  # noqa: S311 (a game)
    return run(_play(animal, given.model, given.language))


async def _play(animal: str, name: str | None, language: str) -> None:
    words, hints, count = WORDS[language], list[str](), 0
    async with opened(name) as model:
        print(words["start"])
        while guess := _asked(words["guess"]):
            count += 1
            if is_right(guess, animal):
                print(words["right"].format(animal=animal, count=count))
                return
            try:
                hints.append(await hint(model, animal, language, hints))
                print(words["wrong"], hints[-1])
            except PlaygroundError as error:  # the game goes on without it
                print(words["no_hint"].format(why=error))
    print(words["over"].format(animal=animal))


async def hint(model: Model, animal: str, language: str, before: Sequence[str]) -> str:
    """A fact about the animal that was not told yet, its name taken out: models say it all the same."""
    words = WORDS[language]
    asked = words["said" if before else "prompt"].format(animal=animal, hints=" ".join(before[-3:]))
    said = await model.answer(
        asked, max_tokens=60, temperature=0.7, frequency_penalty=0.8, stop=["\nQ:", "\nP:", "\n\n"]
    )
    return hidden(said.strip(), animal) or "…"


def hidden(text: str, animal: str) -> str:
    """`text` without the animal's name, in whatever case, accents and number it stands there."""

    def cover(word: re.Match[str]) -> str:
        return "***" if plain(word[0]).startswith(plain(animal)) else word[0]

    return re.sub(r"\w+", cover, text)


def is_right(guess: str, animal: str) -> bool:
    """But for case, accents, and an article before it: `el León`."""
    words = plain(guess).split()
    return bool(words) and words[-1].strip(".!¡") == plain(animal)


def plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _asked(words: str) -> str:
    try:
        return input(words).strip()
    except EOFError:
        print()
        return ""


if __name__ == "__main__":
    sys.exit(main())
