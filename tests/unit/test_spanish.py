"""A prompt in Spanish is told from one in another language, without a dictionary."""

from __future__ import annotations

import json

import pytest

from playground.finetune.example import sentiment
from playground.spanish import READ, is_spanish


@pytest.mark.parametrize(
    "text",
    [
        "La capital de Francia es",
        "Hola",
        "¿Qué tal?",
        "que es un agujero negro",
        "QUE ES UN AGUJERO NEGRO",
        "Escribe un poema sobre el mar",
        "Dime tres ciudades de España.",
        "Traduce al inglés: me gusta el café",
        "Explícame la fotosíntesis",
        "Había una vez",
        "Corrige este texto, por favor: haber si nos vemos.",
        "Clasifica la opinión: El servicio fue lento ->",
        "Eres un asistente que responde siempre en español.\n\n¿Cuántos habitantes tiene México?",
        "def suma(a, b):\n    return a + b\n\nExplica qué hace esta función y por qué es útil",
    ],
)
def test_spanish_is_found(text: str) -> None:
    assert is_spanish(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "12 + 30 =",
        "The capital of France is",
        "Translate to Spanish: I like coffee",
        "No",
        "I drove from Los Angeles to El Paso and then to La Paz with Maria de la Cruz",
        "La capitale de la France est",
        "La capitale della Francia è",
        "A capital da França é",
        "Qual é a capital do Brasil?",
        "Bonjour, comment ça va ?",
        "Ciao, come stai? Scrivi una poesia sul mare",
        "Die Hauptstadt von Frankreich ist",
        "Quina és la capital de França, si us plau? Escriu-la amb majúscules",
        "def la(de, es):\n    return la(de) + es\nfor x in range(10): print(x, y, z, w, k, j, i, n, m)",
        "法国的首都是",
        "SELECT id FROM users WHERE name = 'de la Cruz' ORDER BY created LIMIT 10",
    ],
)
def test_nothing_else_is_taken_for_it(text: str) -> None:
    assert not is_spanish(text)


def test_short_opinions_are_found_nearly_all() -> None:
    prompts = [json.loads(line)["prompt"] for line in sentiment().training.data.decode().splitlines()]
    assert sum(map(is_spanish, prompts)) >= 0.98 * len(prompts) > 100


def test_only_the_beginning_of_a_long_text_is_read() -> None:
    spanish = "Esta es la historia de un hombre que no quería dormir. "
    assert is_spanish(spanish * (READ // len(spanish) + 1) + "the end of it is in English and it is long " * 200_000)
    assert not is_spanish("x" * READ + spanish)
