"""The commands of docs/kubernetes.md run one after the other, with stand-ins for what reaches AWS and the cluster."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from chart import CHART, ROOT, WALK_THROUGH, Release, blocks

PROGRAMS = ["aws", "curl", "eksctl", "helm", "jq", "kubectl", "shred"]
# Each call becomes a folder with the arguments and, if it is read, the standard input.
STAND_IN = r"""#!/usr/bin/env bash
call=$(mktemp -d "$CALLS/$(date +%s%N).XXXXXX")
printf '%s\0' "${0##*/}" "$@" >"$call/arguments"
if [[ " $* " == *" -f - "* ]]; then cat >"$call/input"; fi
if [[ "${0##*/}" == jq ]]; then cat >/dev/null; fi
case " $* " in
  *" get-caller-identity "*) echo 123456789012 ;;
  *" list-hosted-zones-by-name "*) echo /hostedzone/Z0123456789 ;;
  *" get service "*) echo balancer.example.com ;;
  *" logs "*) echo "the credential's file was read again" ;;
esac
"""


@dataclass
class Call:
    """One command of the document."""

    words: list[str]
    input: str

    def after(self, option: str) -> str:
        """The word behind an option."""
        return self.words[self.words.index(option) + 1]


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    """What the document's commands call. `here` is the folder they run in."""
    folder = tmp_path_factory.mktemp("walk-through")
    (folder / "bin").mkdir()
    (folder / "calls").mkdir()
    for program in PROGRAMS:
        (folder / "bin" / program).write_text(STAND_IN)
        (folder / "bin" / program).chmod(0o755)
    # Commands in the background end before the next one, so that the order is that of the document.
    script = "\n".join(re.sub(r" &(?=( |$))(?!&)", "", block) for block in blocks(WALK_THROUGH, "sh"))
    environment = {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "CALLS": str(folder / "calls"),
        "GHCR_TOKEN": "a-token",
        "GITHUB_TOKEN": "a-token",
    }
    run = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(run, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    # A variable that nothing has set ends it, too.
    assert (done.returncode, done.stderr) == (0, "")
    found = []
    for call in sorted((folder / "calls").iterdir()):
        text = call / "input"
        words = (call / "arguments").read_text().rstrip("\0").split("\0")
        found.append(Call([in_full(word, folder) for word in words], text.read_text() if text.exists() else ""))
    return found


def in_full(word: str, folder: Path) -> str:
    """The content of a document that a command is given by its name."""
    name = word.removeprefix("file://")
    return (folder / name).read_text() if word.startswith("file://") and name.endswith(".json") else word


def values() -> dict:
    return blocks(WALK_THROUGH)[0]


def applied(calls: list[Call]) -> dict[str, dict]:
    found = [yaml.safe_load(call.input) for call in calls if call.input]
    return {document["kind"]: document for document in found}


def test_the_commands_run_in_order_and_reach_every_step(calls: list[Call]):
    programs = [call.words[0] for call in calls]
    assert set(programs) == set(PROGRAMS)
    helm = [" ".join(call.words) for call in calls if call.words[:1] == ["helm"]]
    order = ["registry login", "external-secrets", "cert-manager", "ingress-nginx", "upgrade --install arm", "test arm"]
    order += ["upgrade arm", "history arm", "rollback arm", "uninstall arm"]
    places = [next(place for place, line in enumerate(helm) if part in line) for part in order]
    assert places == sorted(places)


def test_the_policies_are_json_and_name_the_account_and_the_zone(calls: list[Call]):
    policies = [json.loads(call.after("--policy-document")) for call in calls if "--policy-document" in call.words]
    resources = [statement["Resource"] for policy in policies for statement in policy["Statement"]]
    assert "arn:aws:secretsmanager:eu-central-1:123456789012:secret:arm/github-app-key-*" in resources
    assert "arn:aws:route53:::hostedzone/Z0123456789" in resources
    change = next(json.loads(call.after("--change-batch")) for call in calls if "--change-batch" in call.words)
    record = change["Changes"][0]["ResourceRecordSet"]
    assert record["Name"] in values()["ingress"]["hosts"]
    assert record["ResourceRecords"] == [{"Value": "balancer.example.com"}]


def test_the_store_and_the_issuer_are_those_of_the_values(calls: list[Call]):
    store, issuer = applied(calls)["SecretStore"], applied(calls)["ClusterIssuer"]
    assert store["metadata"]["name"] == values()["externalSecrets"]["storeRef"]["name"]
    assert store["apiVersion"] == Release(values()).get("ExternalSecret")["apiVersion"]
    assert issuer["metadata"]["name"] == values()["tls"]["certManager"]["issuerRef"]["name"]
    secrets = {call.after("--name") for call in calls if "create-secret" in call.words}
    assert secrets == {values()["externalSecrets"]["remoteRef"]["key"]}
    accounts = {call.after("--name") for call in calls if call.words[:3] == ["eksctl", "create", "iamserviceaccount"]}
    assert store["spec"]["provider"]["aws"]["auth"]["jwt"]["serviceAccountRef"]["name"] in accounts


def test_the_pull_secret_is_that_of_the_values(calls: list[Call]):
    made = [call for call in calls if "docker-registry" in call.words]
    assert [call.after("docker-registry") for call in made] == [one["name"] for one in values()["imagePullSecrets"]]


def test_the_version_that_is_installed_is_the_charts(calls: list[Call]):
    install = next(call for call in calls if call.words[:1] == ["helm"] and "arm" in call.words and "--install" in call.words)
    assert install.after("--version") == yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]


def test_all_lines_of_a_log_are_read_where_pods_are_selected(calls: list[Call]):
    """With --selector, kubectl shows only the last ten lines of each pod unless it is told otherwise."""
    logs = [call for call in calls if "logs" in call.words and "--selector" in call.words]
    assert len(logs) > 1
    for call in logs:
        assert "--tail=-1" in call.words, call.words


def test_it_names_what_the_chart_makes_and_what_the_program_says():
    text = WALK_THROUGH.read_text()
    names = {document["metadata"]["name"] for document in Release(values()).objects}
    assert set(re.findall(r"(?:deployment/|externalsecret )(arm-[\w-]+)", text)) <= names
    source = (ROOT / "src" / "server" / "background.rs").read_text()
    for sentence in ("the credential's file was read again", "the old credential stays in force"):
        assert f'"{sentence}"' in text and f'"{sentence}"' in source


def test_the_pod_of_helm_test_gets_through_the_network_policy():
    release = Release(values())
    (api, _) = release.get("NetworkPolicy")["spec"]["ingress"]
    labels = release.get("Pod")["metadata"]["labels"]
    selectors = [source["podSelector"]["matchLabels"] for source in api["from"] if "podSelector" in source]
    assert any(selector.items() <= labels.items() for selector in selectors)
    assert not any(selector.items() <= release.get("Deployment")["spec"]["template"]["metadata"]["labels"].items() for selector in selectors)
