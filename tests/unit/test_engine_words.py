"""What the engine says of training, known sentence by sentence and said anew in Spanish."""

from __future__ import annotations

from string import Formatter

import pytest

from playground.client_errors import from_status
from playground.engine_words import GROUP, recognised, told
from playground.types import Endpoint
from playground.words import texts

ENGINE = Endpoint(name="local", kind="engine", base_url="http://127.0.0.1:1/v1")
SUFFIX = (
    "suffix is 1 to 64 letters from a to z, digits, dots, dashes and underscores, and begins with a letter or a digit. "
    "Try 'opinion-es'."
)


@pytest.mark.parametrize(
    ("english", "spanish"),
    [
        ("Step 12/75: training loss=1.60", "Paso 12/75: pérdida de entrenamiento=1,60"),
        (
            "Step 10/75: training loss=3.01, validation loss=1.86",
            "Paso 10/75: pérdida de entrenamiento=3,01, pérdida de validación=1,86",
        ),
        ("Fine-tuning job goes on, from step 25", "El entrenamiento sigue, desde el paso 25"),
        (
            "Checkpoint created at step 75 with Snapshot ID: ft:a:local:b:c:ckpt-step-75, exact match=41 of 50",
            "Punto de control creado en el paso 75: ft:a:local:b:c:ckpt-step-75, respuestas exactas=41 de 50",
        ),
        ("The job failed: The file has no examples.", "El trabajo falló: El archivo no tiene ejemplos."),
    ],
)
def test_a_message_is_said_anew_with_its_figures(english: str, spanish: str) -> None:
    assert told(english, "es") == spanish
    assert told(english, "en") == english
    said = recognised(english)
    assert said is not None
    assert said.text("en") == english


@pytest.mark.parametrize(
    "message", ["", "x", "Step one", "The file has no examples. And more.", "Line " + "a " * 5_000]
)
def test_a_message_that_is_not_known_whole_stays_as_it_is(message: str) -> None:
    assert recognised(message) is None
    assert told(message, "es") == message


def test_every_sentence_has_the_same_figures_in_both_languages() -> None:
    keys = [key for key in texts("en") if key.startswith(GROUP)]
    assert len(keys) > 80
    for key in keys:
        names = [{name for _, name, _, _ in Formatter().parse(texts(each)[key]) if name} for each in ("en", "es")]
        assert names[0] == names[1], key


def test_what_the_engine_refuses_is_told_in_the_readers_language() -> None:
    error = from_status(ENGINE, status=400, said=SUFFIX, param="suffix")
    assert error.translated
    spanish, hint = error.texts("es")
    said = "El modelo de esta máquina ha rechazado el valor de suffix. Dice: El sufijo tiene de 1 a 64 letras"
    assert spanish.startswith(said)
    assert (spanish.endswith("Prueba con 'opinion-es'."), hint) == (True, "")
    assert error.message == f"The model on this machine refused the value of suffix. It says: {SUFFIX}"
    assert error.hint == ""  # the engine says itself what to do


def test_another_servers_words_are_its_own() -> None:
    other = Endpoint(name="other", kind="compatible", base_url="http://127.0.0.1:1/v1")
    spanish, hint = from_status(other, status=400, said=SUFFIX, param="suffix").texts("es")
    assert spanish == f"El servidor «other» ha rechazado el valor de suffix. Dice: {SUFFIX}"
    assert hint == "Cambia lo que nombra o déjalo sin fijar."


def test_a_model_that_does_not_fit_is_not_to_be_changed_or_unset() -> None:
    said = (
        "The model 'mine' does not fit: it takes 238 MB with 2048 tokens of context, and PLAYGROUND_MODEL_MEMORY "
        "leaves 72 MB for it. Raise it, or choose a smaller model."
    )
    error = from_status(ENGINE, status=400, said=said, param="model", code="out_of_memory")
    assert str(error) == f"The model on this machine refused this model. It says: {said}"
    assert "no cabe" in error.texts("es")[0]
    other = Endpoint(name="other", kind="compatible", base_url="http://127.0.0.1:1/v1")
    assert from_status(other, status=400, said="No.", param="model").hint == "Choose another model."
