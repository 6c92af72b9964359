"""The chart's texts and its schema agree with the values."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart import CHART, DOCUMENTS, ROOT, Release, blocks, laid_over, least, refusal, values_of

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
SEE = "see values.yaml"


def at(path: str) -> Any:
    value: Any = VALUES
    for key in path.split("."):
        assert isinstance(value, dict) and key in value, f"{path} is not in values.yaml"
        value = value[key]
    return value


def leaves(value: Any, path: str = "") -> set[str]:
    if not isinstance(value, dict) or not value:
        return {path}
    return set().union(*(leaves(inner, f"{path}.{key}".lstrip(".")) for key, inner in value.items()))


def rows() -> dict[str, str]:
    section = (CHART / "README.md").read_text().split("\n## Values\n")[1]
    found = re.findall(r"^\| `([\w.]+)` \| (.+?) \|", section, re.MULTILINE)
    assert len(found) == len(dict(found)), "a value stands in the table twice"
    return dict(found)


def test_the_table_in_the_readme_has_every_value():
    missing = [leaf for leaf in leaves(VALUES) if not any(f"{leaf}.".startswith(f"{row}.") for row in rows())]
    assert not missing


@pytest.mark.parametrize(("path", "default"), rows().items())
def test_a_default_in_the_readme_is_the_one_in_the_values(path: str, default: str):
    value = at(path)
    assert default == SEE or json.loads(default.strip("`")) == value
    assert default != SEE or isinstance(value, dict | list) and value


def test_the_schema_knows_every_value_and_no_other():
    def compare(schema: dict[str, Any], value: Any, path: str) -> None:
        if "properties" not in schema or not value:
            return
        known = set(schema["properties"]) - ({"global"} if not path else set())
        optional = {"resources": {"claims"}}.get(path, set())
        assert known - optional == set(value), path
        for key, inner in value.items():
            compare(schema["properties"][key], inner, f"{path}.{key}".lstrip("."))

    compare(SCHEMA, VALUES, "")


def test_every_object_of_the_schema_says_whether_other_keys_are_allowed():
    def walk(schema: Any) -> None:
        if isinstance(schema, dict):
            assert "properties" not in schema or "additionalProperties" in schema or "required" in schema
            for inner in schema.values():
                walk(inner)

    walk(SCHEMA)


def closed(schema: dict[str, Any], path: str = "") -> list[str]:
    """Where the schema lists all keys there are."""
    inner = (closed(below, f"{path}.{key}".lstrip(".")) for key, below in schema.get("properties", {}).items())
    return sum(inner, [path] if schema.get("additionalProperties") is False else [])


@pytest.mark.parametrize("path", closed(SCHEMA))
def test_an_unknown_key_is_refused_wherever_the_keys_are_known(path: str):
    values: dict[str, Any] = {"misspelt": 1}
    for key in reversed(path.split(".") if path else []):
        values = {key: values}
    assert "additional properties 'misspelt' not allowed" in refusal(least(**values))


def test_only_what_kubernetes_describes_itself_may_have_any_keys():
    found = {leaf for leaf in leaves(VALUES) if at(leaf) == {}}
    own = {leaf for leaf in found if not re.search(r"([aA]nnotations|[lL]abels|nodeSelector|affinity|behavior)$", leaf)}
    assert own == {"config"} and "config" in closed(SCHEMA)


def test_every_variant_says_what_it_is():
    for file in (CHART / "ci").glob("*.yaml"):
        assert re.match(r"# .+\.\n", file.read_text()), file.name


def test_the_variants_set_every_switch_there_is():
    variants = [values_of(file) for file in (CHART / "ci").glob("*.yaml")]
    used = set().union(*(leaves(variant) for variant in variants))
    switches = {leaf for leaf in leaves(VALUES) if leaf.endswith(".enabled") and at(leaf) is False}
    assert switches <= used


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_values_in_a_document_can_be_installed(document: Path):
    whole, *parts = blocks(document)
    assert Release(whole).get("Deployment")
    for part in parts:
        assert Release(laid_over(copy.deepcopy(whole), part)).get("Deployment")


def test_the_unit_makes_the_folder_that_chart_and_documents_name_for_the_store():
    url = Release(least()).config["store"]["url"]
    folder = Path(url.removeprefix("sqlite://")).parent
    unit = (ROOT / "docs" / "actions-runner-manager.service").read_text()
    assert f"\nStateDirectory={folder.relative_to('/var/lib')}\nStateDirectoryMode=0700\n" in unit
    for document in ("README.md", "docs/store.md", "docs/migrating.md"):
        assert url in (ROOT / document).read_text(), document
