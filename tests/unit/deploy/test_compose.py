"""`deploy/` names settings that exist, and starts with no secret that somebody else has chosen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from playground.engine_process import KEY_VARIABLE
from playground.settings import VARIABLES

DEPLOY = Path(__file__).parents[3] / "deploy"
SECRETS = {"POSTGRES_PASSWORD", "ENGINE_API_KEY", "PLAYGROUND_PASSWORD", "PLAYGROUND_HOST_PASSWORD"}
#: Read by uvicorn, and a key that is named by its server.
OTHERS = {"FORWARDED_ALLOW_IPS", "ENGINE_API_KEY"}


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def test_each_setting_is_one_that_the_app_reads() -> None:
    services = compose()["services"]
    assert services["app"]["environment"].keys() <= {*VARIABLES, *OTHERS}
    assert services["engine"]["environment"].keys() == {KEY_VARIABLE}
    image = re.findall(r"(PLAYGROUND_\w+|GRADIO_\w+)=", (DEPLOY / "Dockerfile").read_text())
    assert set(image) <= set(VARIABLES)


def test_secrets_have_to_be_chosen() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{(\w+):\?", text))
    assert asked == SECRETS
    sample = dict(
        line.split("=", 1) for line in (DEPLOY / "env.example").read_text().splitlines() if re.match(r"\w", line)
    )
    assert all(sample[name] == "" for name in SECRETS)
    assert set(re.findall(r"\$\{(\w+)", text)) - {"VLLM_MODEL", "PLAYGROUND_ENDPOINTS"} == sample.keys()


def test_the_image_is_made_of_what_is_here_and_ends_in_time() -> None:
    root = DEPLOY.parent
    # Without it the engine does not start in a slim image, which was seen there.
    assert "libgomp1" in (DEPLOY / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    kept = {line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(sources) == kept
    assert all((root / source).exists() for source in sources)
    app = compose()["services"]["app"]
    assert int(app["stop_grace_period"].removesuffix("s")) > 30 + 10
