"""The chart's texts and its schema agree with the values."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart import CHART, DOCUMENTS, Release, blocks, least, refusal, values_of

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
        assert Release(whole | part).get("Deployment")
<<<<<<< HEAD
=======


def test_the_walk_through_names_what_the_chart_makes():
    whole = blocks(ROOT / "docs" / "kubernetes.md")[0]
    names = {document["metadata"]["name"] for document in Release(whole).objects}
    text = (ROOT / "docs" / "kubernetes.md").read_text()
    assert set(re.findall(r"(?:deployment/|externalsecret )(arm-[\w-]+)", text)) <= names


# --- Prometheus and Grafana ---


def expressions_of_rules() -> list[str]:
    metrics = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
    (group,) = Release(least(metrics=metrics)).get("PrometheusRule")["spec"]["groups"]
    return [rule["expr"] for rule in group["rules"]]


def expressions_of_dashboard() -> list[str]:
    dashboard = json.loads((CHART / "dashboards" / "actions-runner-manager.json").read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return [expression.replace("$__rate_interval", "5m") for expression in found]


@pytest.mark.parametrize("expression", expressions_of_rules() + expressions_of_dashboard())
def test_prometheus_understands_an_expression_and_the_program_has_its_metrics(expression: str):
    promql_parser.parse(expression)
    assert len(METRICS) > 10
    assert set(re.findall(r"\b(arm_\w+|up)\b(?=[{\[])", expression)) <= METRICS | {"up"}
    assert re.search(r"\b(arm_\w+|up)\{", expression)


def test_alerts_and_panels_use_labels_that_metrics_have():
    source = (ROOT / "src" / "metrics.rs").read_text()
    labels = set(re.findall(r'"(\w+)" =>', source)) | {"namespace", "service", "le"}
    for expression in expressions_of_rules() + expressions_of_dashboard():
        assert set(re.findall(r'(\w+)\s*[=!]~?"', expression)) <= labels
        for grouped in re.findall(r"by \(([^)]*)\)", expression):
            assert {label.strip() for label in grouped.split(",")} <= labels


def test_an_alert_can_be_left_out_and_another_added():
    release = Release(values_of(CHART / "ci" / "monitoring.yaml"))
    (group,) = release.get("PrometheusRule")["spec"]["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert "ActionsRunnerManagerGithubBudgetLow" not in names
    assert "ActionsRunnerManagerNotReady" in names and names[-1] == "NobodyUsesIt"


def test_every_alert_says_what_it_means_and_what_to_do():
    metrics = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
    (group,) = Release(least(metrics=metrics)).get("PrometheusRule")["spec"]["groups"]
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]


def test_the_readme_has_every_alert_and_its_severity():
    metrics = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
    (group,) = Release(least(metrics=metrics)).get("PrometheusRule")["spec"]["groups"]
    made = {rule["alert"].removeprefix("ActionsRunnerManager"): rule["labels"]["severity"] for rule in group["rules"]}
    section = (CHART / "README.md").read_text().split("\n## Alerts\n")[1].split("\n## ")[0]
    assert dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", section, re.MULTILINE)) == made


def test_the_page_on_operations_has_every_alert_its_severity_and_what_it_looks_at():
    metrics = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
    (group,) = Release(least(metrics=metrics)).get("PrometheusRule")["spec"]["groups"]
    made = {
        rule["alert"].removeprefix("ActionsRunnerManager"): (
            rule["labels"]["severity"],
            set(re.findall(r"\b(arm_\w+|up)\b(?=[{\[])", rule["expr"])),
        )
        for rule in group["rules"]
    }
    section = (ROOT / "docs" / "operations.md").read_text().split("\n## Alerts\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]+) \|", section, re.MULTILINE)
    assert {name: (severity, set(re.findall(r"`(\w+)`", looks_at))) for name, severity, looks_at in rows} == made


def test_the_rules_and_the_monitor_go_by_the_same_service():
    release = Release(values_of(CHART / "ci" / "monitoring.yaml"))
    service = release.get("Service", "arm-actions-runner-manager-metrics")
    selector = release.get("ServiceMonitor")["spec"]["selector"]["matchLabels"]
    assert selector.items() <= service["metadata"]["labels"].items()
    assert not selector.items() <= release.get("Service", "arm-actions-runner-manager")["metadata"]["labels"].items()
    own = [e for e in expressions_of_rules() if f'service="{service["metadata"]["name"]}"' not in e]
    assert not own


def test_the_dashboard_is_put_where_grafana_finds_it():
    dashboard = Release(values_of(CHART / "ci" / "monitoring.yaml")).get("ConfigMap", "arm-actions-runner-manager-dashboard")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    panels = json.loads(dashboard["data"]["actions-runner-manager.json"])["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
>>>>>>> ops
