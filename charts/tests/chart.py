"""The chart under test, rendered by Helm's own engine."""

from __future__ import annotations

import copy
import functools
import re
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "actions-runner-manager"
VARIANTS = sorted((CHART / "ci").glob("*.yaml"))
WALK_THROUGH = ROOT / "docs" / "kubernetes.md"
# Those that show values.
DOCUMENTS = [CHART / "README.md", WALK_THROUGH]
RELEASE, NAMESPACE = "arm", "runners"
FULLNAME = "arm-actions-runner-manager"

# The least that works; a test adds what it is about.
LEAST = {
    "config": {"org": "my-org", "appID": 12345},
    "credentials": {"existingSecret": "github-app"},
    "tls": {"existingSecret": "arm-tls"},
}


def values_of(file: Path) -> dict[str, Any]:
    """A file of values, read as Helm reads it."""
    return helm.values_from_yaml(file.read_text())


def blocks(document: Path, language: str = "yaml") -> list[Any]:
    """What a document shows in this language; of YAML what it means."""
    found = re.findall(rf"^ *```{language}\n(.*?)^ *```$", document.read_text(), re.MULTILINE | re.DOTALL)
    return [yaml.safe_load(block) for block in found] if language == "yaml" else found


def least(**more: Any) -> dict[str, Any]:
    """LEAST with `more` laid over it, key by key."""
    return laid_over(copy.deepcopy(LEAST), more)


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`below`, changed, with `above` over it, key by key."""
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            below[key] = laid_over(below[key], value)
        else:
            below[key] = value
    return below


@functools.cache
def _chart() -> helm.Chart:
    return helm.Chart.load(CHART)


class Release:
    """What an installation with these values would make."""

    def __init__(self, values: dict[str, Any], name: str = RELEASE) -> None:
        rendered = _chart().render(values, name=name, namespace=NAMESPACE)
        self.notes = "".join(text for path, text in rendered.items() if path.endswith("NOTES.txt"))
        self.objects: list[dict[str, Any]] = [
            document
            for path, text in rendered.items()
            if path.endswith(".yaml")
            for document in yaml.safe_load_all(text)
            if document
        ]

    def find(self, kind: str, name: str | None = None) -> dict[str, Any] | None:
        """The only object of this kind (and name), or None."""
        found = [o for o in self.objects if o["kind"] == kind and name in (None, o["metadata"]["name"])]
        assert len(found) < 2, f"several of kind {kind}: {[o['metadata']['name'] for o in found]}"
        return found[0] if found else None

    def get(self, kind: str, name: str | None = None) -> dict[str, Any]:
        """The only object of this kind (and name)."""
        found = self.find(kind, name)
        assert found is not None, f"no {kind} {name or ''}"
        return found

    @property
    def pod(self) -> dict[str, Any]:
        """The Deployment's pod specification."""
        return self.get("Deployment")["spec"]["template"]["spec"]

    @property
    def container(self) -> dict[str, Any]:
        """The Deployment's only container."""
        (container,) = self.pod["containers"]
        return container

    @property
    def config(self) -> dict[str, Any]:
        """The content of config.yml."""
        return yaml.safe_load(self.config_text)

    @property
    def config_text(self) -> str:
        """config.yml as it is mounted."""
        return self.get("ConfigMap", self.get("Deployment")["metadata"]["name"])["data"]["config.yml"]

    def pods(self) -> list[tuple[str, dict[str, Any]]]:
        """Every pod specification, with the labels of its pods and the name of what makes it."""
        return [
            (o["metadata"]["name"], o["spec"]["template"]["spec"] if o["kind"] == "Deployment" else o["spec"])
            for o in self.objects
            if o["kind"] in ("Deployment", "Pod")
        ]


def install(values: dict[str, Any]) -> None:
    """What Helm does with these values, schema included."""
    with helm.Chart.load(CHART) as chart:
        chart.validate_schema(values)
        chart.render(values, name=RELEASE, namespace=NAMESPACE)


def refusal(values: dict[str, Any]) -> str:
    """Why Helm refuses these values."""
    try:
        install(values)
    except helm.HelmError as error:
        return str(error)
    raise AssertionError(f"accepted: {values}")
