"""250 different short opinions in Spanish, made of templates; 50 of them are held out."""

from __future__ import annotations

import random

_THINGS = (
    "El hotel", "La comida", "El servicio", "La película", "El libro", "La app", "El teléfono", "La batería",
    "El vuelo", "El curso", "La profesora", "El restaurante", "La cama", "El coche", "La pantalla", "El concierto",
    "La tienda", "El envío", "La camarera", "El juego",
)  # fmt: skip
_GOOD = (
    "es excelente", "me encantó", "funciona de maravilla", "superó lo que esperaba", "vale cada euro",
    "es lo mejor que he probado", "me hizo muy feliz", "es rápido y cómodo", "lo recomiendo a todos",
    "fue un acierto total",
)  # fmt: skip
_BAD = (
    "es horrible", "me decepcionó", "no funciona", "fue una pérdida de dinero", "llegó roto",
    "es lo peor que he probado", "me hizo enfadar", "es lento e incómodo", "no lo recomiendo a nadie",
    "fue un desastre total",
)  # fmt: skip
_ENDS = ("", ".", " de verdad.", " otra vez.", " y no es broma.", ", la verdad.")

Pair = tuple[str, str]


def _pairs() -> list[Pair]:
    chance = random.Random(5)
    pairs = [
        (f"Opinión: {thing} {words}{chance.choice(_ENDS)}\nSentimiento:", label)
        for thing in _THINGS
        for phrases, label in ((_GOOD, " positivo"), (_BAD, " negativo"))
        for words in phrases
    ]
    chance.shuffle(pairs)
    return pairs


TRAIN, HELD_OUT = _pairs()[:200], _pairs()[200:250]
