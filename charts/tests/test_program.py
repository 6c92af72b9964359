"""The real program accepts what the chart gives it, and serves what the chart asks of it."""

from __future__ import annotations

import re
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from chart import CHART, DOCUMENTS, LEAST, ROOT, VARIANTS, Release, blocks, install, least, refusal, values_of
from program import ADMIN_ADDRESS, BARE, check_config, configuration, demo, started, status, told
from prometheus_client.parser import text_string_to_metric_families


@pytest.mark.parametrize("file", VARIANTS, ids=lambda file: file.stem)
def test_the_program_accepts_the_config_of_every_variant(file: Path, binary: Path, files: dict[str, str], tmp_path: Path):
    checked = check_config(binary, configuration(Release(values_of(file)), files, tmp_path))
    assert checked.returncode == 0, checked.stderr
    assert "The configuration is valid" in checked.stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_program_accepts_the_config_of_the_values_in_a_document(
    document: Path, binary: Path, files: dict[str, str], tmp_path: Path
):
    checked = check_config(binary, configuration(Release(blocks(document)[0]), files, tmp_path))
    assert checked.returncode == 0, checked.stderr


def test_the_program_would_tell_an_unknown_key(binary: Path, files: dict[str, str], tmp_path: Path):
    config = configuration(Release(LEAST), files, tmp_path)
    config.write_text(with_more(config, "unknown: 1\n"))
    checked = check_config(binary, config)
    assert checked.returncode == 2 and "unknown key" in checked.stderr


def test_a_config_that_was_cut_off_starts_no_pod(binary: Path, files: dict[str, str], tmp_path: Path):
    release = Release(LEAST)
    assert {"name": "CONFIG_END", "value": "required"} in release.container["env"]
    config = configuration(release, files, tmp_path)
    lines = config.read_text().splitlines(keepends=True)
    for end in range(len(lines)):
        config.write_text("".join(lines[:end]))
        checked = check_config(binary, config)
        assert checked.returncode == 2 and "as the last line" in checked.stderr, end


def with_more(config: Path, text: str) -> str:
    """The configuration with more settings before its end mark."""
    whole, mark = config.read_text().rstrip("\n").rsplit("\n", 1)
    assert mark == "..."
    return f"{whole}\n{text}...\n"


def test_the_program_uses_the_ports_that_the_pod_shows(binary: Path, files: dict[str, str], tmp_path: Path):
    release = Release(least(config={"server": {"port": 8444, "admin": {"port": 9191}}}))
    ports = {port["name"]: port["containerPort"] for port in release.container["ports"]}
    in_force = check_config(binary, configuration(release, files, tmp_path)).stdout
    assert ports == {"api": 8444, "admin": 9191}
    assert "server.port = 8444 " in in_force and "server.admin.port = 9191 " in in_force
    assert "server.address = 0.0.0.0 " in in_force and "server.admin.address = 0.0.0.0 " in in_force


def test_every_setting_of_the_program_is_a_value_of_the_chart():
    example = (ROOT / "config.example.yml").read_text()
    # Commented settings, save those that hold a secret, and those that exclude another.
    settings = yaml.safe_load(re.sub(r"^( *)#(?!(privateKey|token|tokenFile|compression):)(?=\w+: )", r"\1", example, flags=re.MULTILINE))
    settings["privateKeyFile"] = "/key.pem"
    settings["server"]["tls"] |= {"certFile": "/tls.crt", "keyFile": "/tls.key"}
    values = {"config": settings, "store": {"sqlite": {"enabled": False}}}
    # With the empty URL of the example there is no store, and names without ids are refused.
    settings["store"] |= {"url": "sqlite:///state.db", "passwordFile": "/password", "caFile": "/ca.crt"}
    install(values)
    assert Release(values).config == settings
    assert settings["logging"]["audit"] and settings["installationID"] and settings["github"]["caFile"]


def test_the_settings_that_start_no_new_pods_are_those_that_the_program_reads_again():
    source = (ROOT / "src" / "config" / "changes.rs").read_text()
    (live,) = re.findall(r"const LIVE: \[&str; \d+\] =\s*\[([^\]]+)\]", source)
    template = (CHART / "templates" / "_helpers.tpl").read_text()
    (listed,) = re.findall(r"range list ([^}]+?) -}}", template)
    assert sorted(re.findall(r'"([\w.]+)"', listed)) == sorted(re.findall(r'"([\w.]+)"', live))


def test_the_schema_names_no_setting_that_the_program_does_not_know():
    example = (ROOT / "config.example.yml").read_text()

    def walk(schema: dict) -> Iterator[str]:
        for key, inner in schema.get("properties", {}).items():
            yield key
            yield from walk(inner)

    schema = yaml.safe_load((CHART / "values.schema.json").read_text())["properties"]["config"]
    unknown = [key for key in walk(schema) if not re.search(rf"\b{key}\b: ?", example)]
    assert not unknown


def test_a_grace_period_shorter_than_the_programs_drain_is_refused():
    source = (ROOT / "src" / "server.rs").read_text()
    (drain,) = re.findall(r"DRAIN: Duration = Duration::from_secs\((\d+)\)", source)
    shortest = int(drain) + 10 + 5
    assert Release(least(terminationGracePeriodSeconds=shortest))
    assert f"must be {shortest} or more" in refusal(least(terminationGracePeriodSeconds=shortest - 1))


def test_helm_test_asks_the_service_through_its_address(binary: Path, tmp_path: Path):
    pod = Release(LEAST).get("Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test" and pod["spec"]["restartPolicy"] == "Never"
    (container,) = pod["spec"]["containers"]
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    # What Kubernetes does with the Service's variables.
    assert variables["ARM_SERVER_ADDRESS"] == "$(ARM_ACTIONS_RUNNER_MANAGER_SERVICE_HOST)"
    assert variables["ARM_SERVER_PORT"] == "443"

    def ask(port: str) -> int:
        service = {"ARM_ACTIONS_RUNNER_MANAGER_SERVICE_HOST": "127.0.0.1", "ARM_ACTIONS_RUNNER_MANAGER_PORT": "tcp://127.0.0.1:443"}
        environment = BARE | service | variables | {"ARM_SERVER_ADDRESS": "127.0.0.1", "ARM_SERVER_PORT": port}
        return subprocess.run([binary, *container["args"]], cwd=tmp_path, env=environment, timeout=30, check=False).returncode

    with demo(binary, tmp_path) as running:
        assert ask(running.port) == 0
    assert ask(running.port) == 1


@contextmanager
def serving(binary: Path, config: Path) -> Iterator[str]:
    """The port of the admin listener, while the service runs in front of nobody."""
    # Port 9 answers nobody, so the credential stays unchecked.
    text = with_more(config, "github: {apiURL: 'http://127.0.0.1:9'}\ninstallationID: 1\n")
    config.write_text(text.replace("port: 9090", "port: 0").replace("port: 8443", "port: 0"))
    with started([binary, "--config", config, "serve"], {}) as process:
        yield told(process, ADMIN_ADDRESS)


def test_the_probes_ask_paths_that_the_admin_port_serves(binary: Path, files: dict[str, str], tmp_path: Path):
    release = Release(LEAST)
    probes = {name: release.container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {probe["port"] for probe in probes.values()} == {"admin"}
    with serving(binary, configuration(release, files, tmp_path)) as port:
        assert status(port, probes["startup"]["path"]) == 200
        assert status(port, probes["liveness"]["path"]) == 200
        assert status(port, probes["readiness"]["path"]) == 503
        assert status(port, "/metrics") == 200
        assert status(port, "/other") == 404


def test_prometheus_own_parser_reads_the_metrics(binary: Path, files: dict[str, str], tmp_path: Path):
    with (
        serving(binary, configuration(Release(LEAST), files, tmp_path)) as port,
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer,
    ):
        families = list(text_string_to_metric_families(answer.read().decode()))
    assert len(families) > 15
    samples = [sample for family in families for sample in family.samples]
    series = {(sample.name, *sorted(sample.labels.items())) for sample in samples}
    assert len(series) == len(samples), "a series stands there twice"
    for family in families:
        assert family.documentation and family.type in ("counter", "gauge", "histogram"), family.name
        # The parser takes the suffix of what is called a counter as that of the name, and expects it.
        suffixes = {"counter": {"_total"}, "gauge": {""}, "histogram": {"_bucket", "_sum", "_count"}}[family.type]
        assert {sample.name.removeprefix(family.name) for sample in family.samples} == suffixes, family.name
        if family.type == "histogram":
            by_le = [sample for sample in family.samples if sample.labels.get("le") == "+Inf"]
            assert len(by_le) == sum(sample.name.endswith("_count") for sample in family.samples)
