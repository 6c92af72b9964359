"""Each variant is a chart that Helm accepts, and objects that Kubernetes accepts."""

from __future__ import annotations

import functools
from pathlib import Path

import helm_python as helm
import kubernetes_validate
import pytest
import yaml
from chart import CHART, ROOT, VARIANTS, Release, values_of
from kubernetes_validate import utils
from kubernetes_validate.utils import all_versions, major_minor

# It would read the same megabytes again for every object.
utils.schema_contents = functools.cache(utils.schema_contents)

OLDEST = (1, 28)
VERSIONS = [
    f"{major}.{minor}"
    for major, minor in (tuple(map(int, version.split(".")[:2])) for version in all_versions())
    if (major, minor) >= OLDEST
]
# Definitions of other projects: no schema of Kubernetes describes them.
CUSTOM = {"Certificate", "ExternalSecret", "HTTPRoute", "BackendTLSPolicy", "ServiceMonitor", "PrometheusRule"}


def test_the_range_of_versions_is_that_of_the_chart():
    assert VERSIONS[0] == "1.28" and len(VERSIONS) > 5
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"] == ">=1.28.0-0"


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
@pytest.mark.parametrize("file", VARIANTS, ids=lambda file: file.stem)
def test_helm_has_nothing_to_say_against_it(file: Path, version: str):
    report = helm.lint(CHART, values_of(file), strict=True, kube_version=f"v{version}.0")
    assert not report["errors"]
    assert not [message for message in report["messages"] if message["severity"] > 1]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", VARIANTS, ids=lambda file: file.stem)
def test_kubernetes_knows_every_field(file: Path, version: str):
    release = Release({"kubeVersionOverride": f"v{version}.0"} | values_of(file))
    for document in release.objects:
        if document["kind"] in CUSTOM:
            continue
        checked = kubernetes_validate.validate(document, version, strict=True)
        assert major_minor(f"{checked}.0") == major_minor(f"{version}.0")


def test_objects_have_names_that_kubernetes_allows_even_for_the_longest_release():
    release = Release(values_of(CHART / "ci" / "aws.yaml"), name="a" * 53)
    for document in release.objects:
        assert len(document["metadata"]["name"]) <= 63


def test_every_object_is_in_the_namespace_and_tells_its_chart(variant: Release):
    for document in variant.objects:
        assert document["metadata"]["namespace"] == "runners"
        if document["kind"] != "Pod":
            assert document["metadata"]["labels"]["helm.sh/chart"].startswith("actions-runner-manager-")


def test_the_chart_and_the_program_have_one_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    manifest = (ROOT / "Cargo.toml").read_text()
    assert chart["version"] == chart["appVersion"]
    assert f'\nversion = "{chart["version"]}"\n' in manifest


def test_the_chart_can_be_packaged_without_its_tests(tmp_path: Path):
    archive = helm.package(CHART, destination=tmp_path)
    with helm.Chart.load(archive) as chart:
        names = {file["name"] for file in chart.files}
    assert "README.md" in names and "dashboards/actions-runner-manager.json" in names
    assert not [name for name in names if name.startswith("ci/")]
