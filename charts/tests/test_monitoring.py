"""Alerts, the dashboard and the monitor: Prometheus understands them, and the program has what they ask for."""

from __future__ import annotations

import json
import re
import ssl
import urllib.request
from pathlib import Path

import promql_parser
import pytest
from chart import CHART, FULLNAME, ROOT, Release, least, values_of
from program import ADDRESS, ADMIN_ADDRESS, demo, started, told

# What Prometheus adds to what it takes from a pod.
TARGET = {"namespace", "service"}
SELECTOR = re.compile(r"\b(arm_\w+|up)\{([^}]*)\}")


def rules() -> list[dict]:
    metrics = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
    (group,) = Release(least(metrics=metrics)).get("PrometheusRule")["spec"]["groups"]
    return group["rules"]


def dashboard() -> dict:
    return json.loads((CHART / "dashboards" / "actions-runner-manager.json").read_text())


def expressions() -> list[str]:
    of_panels = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    return [rule["expr"] for rule in rules()] + [
        expression.replace("$__rate_interval", "5m").replace("$__range", "1h") for expression in of_panels
    ]


@pytest.fixture(scope="session")
def metrics(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Names and labels of the metrics that the real program shows after a few requests, in front of the demo's GitHub."""
    with demo(binary, tmp_path_factory.mktemp("demo")) as github:
        # A store of its own would have no record of the demo's groups.
        config = (github.folder / "config.yml").read_text()
        own = github.folder / "own.yml"
        own.write_text(re.sub(r"^store: .*$", "groups: {trustNames: true}", config, flags=re.MULTILINE))
        environment = {
            "CONFIG_PATH": str(own),
            "ARM_SERVER_PORT": "0",
            "ARM_SERVER_ADMIN_PORT": "0",
            "ARM_LOGGING_LEVEL": "info",
            "ARM_LOGGING_FORMAT": "json",
        }
        with started([binary, "serve"], environment) as process:
            # Said once GitHub has answered about the credential, so what it counts is there.
            line = told(process, r"^(.*admin_address.*)$")
            port, admin = (re.search(pattern, line)[1] for pattern in (ADDRESS, ADMIN_ADDRESS))
            tls = ssl.create_default_context(cafile=github.folder / "tls.crt")
            asked = urllib.request.Request(
                f"https://localhost:{port}/api/v1/group-list?team=platform",
                headers={"Authorization": f"Bearer {github.token}"},
            )
            with urllib.request.urlopen(asked, timeout=30, context=tls) as answer:
                assert answer.status == 200
            with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10) as answer:
                return shown(answer.read().decode())


def shown(text: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(arm_\w+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


@pytest.mark.parametrize("expression", expressions())
def test_prometheus_understands_an_expression_and_the_program_shows_its_metrics(expression: str, metrics: dict[str, set[str]]):
    promql_parser.parse(expression)
    used = SELECTOR.findall(expression)
    assert used and len(used) == len(re.findall(r"\b(?:arm_\w+|up)\b", expression))
    for name, matchers in used:
        labels = TARGET if name == "up" else metrics[name] | TARGET
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= labels, name
    grouped = re.findall(r"by \(([^)]*)\)", expression)
    carried = set().union(*(metrics.get(name, set()) for name, _ in used)) | TARGET
    assert {label.strip() for group in grouped for label in group.split(",")} <= carried


def test_an_alert_can_be_left_out_and_another_added():
    release = Release(values_of(CHART / "ci" / "monitoring.yaml"))
    (group,) = release.get("PrometheusRule")["spec"]["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert "ActionsRunnerManagerGithubBudgetLow" not in names
    assert "ActionsRunnerManagerNotReady" in names and names[-1] == "NobodyUsesIt"


def test_alerts_about_the_periodic_work_are_right_for_pods_that_share_nothing_and_for_releases_that_share_a_database():
    said = {rule["alert"].removeprefix("ActionsRunnerManager"): rule["expr"] for rule in rules()}
    # Without PostgreSQL each pod does the work, and sees one replica.
    assert re.search(r"^sum\(arm_lease_held\{.*\}\) > 1 and max\(arm_replicas\{.*\}\) > 1$", said["PeriodicWorkTwice"])
    # What does it may be another release's.
    assert " unless max(arm_replicas{" in said["PeriodicWorkStopped"] and " > count(arm_replicas{" in said["PeriodicWorkStopped"]


def test_every_alert_says_what_it_means_and_what_to_do():
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]


def test_the_bounds_of_alerts_are_those_of_the_values():
    bounds = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True, "certificateDays": 9, "githubBudgetPercent": 25}}
    (group,) = Release(least(metrics=bounds)).get("PrometheusRule")["spec"]["groups"]
    said = {rule["alert"].removeprefix("ActionsRunnerManager"): rule["expr"] for rule in group["rules"]}
    assert said["CertificateExpiresSoon"].endswith(f"< {9 * 86400}") and said["CertificateExpires"].endswith(f"< {3 * 86400}")
    assert "< 25 / 100 *" in said["GithubBudgetLow"]


def test_the_readme_has_every_alert_and_its_severity():
    made = {rule["alert"].removeprefix("ActionsRunnerManager"): rule["labels"]["severity"] for rule in rules()}
    section = (CHART / "README.md").read_text().split("\n## Alerts\n")[1].split("\n## ")[0]
    assert dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", section, re.MULTILINE)) == made


def test_the_monitor_asks_the_admin_port_for_metrics_and_the_rules_go_by_its_service():
    release = Release(values_of(CHART / "ci" / "monitoring.yaml"))
    service = release.get("Service", f"{FULLNAME}-metrics")
    monitor = release.get("ServiceMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint == {"port": "admin", "path": "/metrics", "interval": "30s", "scrapeTimeout": "10s"}
    assert [port["name"] for port in service["spec"]["ports"]] == ["admin"]
    assert service["spec"]["publishNotReadyAddresses"] is True
    selector = monitor["spec"]["selector"]["matchLabels"]
    assert selector.items() <= service["metadata"]["labels"].items()
    assert not selector.items() <= release.get("Service", FULLNAME)["metadata"]["labels"].items()
    assert not [rule["expr"] for rule in rules() if f'service="{service["metadata"]["name"]}"' not in rule["expr"]]


def test_labels_of_one_object_win_over_those_of_all_and_stand_once():
    values = values_of(CHART / "ci" / "monitoring.yaml") | {"commonLabels": {"release": "other", "team": "platform"}}
    labels = Release(values).get("ServiceMonitor")["metadata"]["labels"]
    assert labels["release"] == "prometheus" and labels["team"] == "platform"


def test_the_dashboard_is_put_where_grafana_finds_it():
    found = Release(values_of(CHART / "ci" / "monitoring.yaml")).get("ConfigMap", f"{FULLNAME}-dashboard")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(found["data"]["actions-runner-manager.json"]) == dashboard()
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_the_page_on_operations_has_every_alert_its_severity_and_what_it_looks_at():
    made = {
        rule["alert"].removeprefix("ActionsRunnerManager"): (
            rule["labels"]["severity"],
            {name for name, _ in SELECTOR.findall(rule["expr"])},
        )
        for rule in rules()
    }
    section = (ROOT / "docs" / "operations.md").read_text().split("\n## Alerts\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]+) \|", section, re.MULTILINE)
    assert {name: (severity, set(re.findall(r"`(\w+)`", looks_at))) for name, severity, looks_at in rows} == made
