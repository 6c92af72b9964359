"""No pod of any variant may do more than it needs: the `restricted` Pod Security Standard, and what goes beyond it."""

from __future__ import annotations

import pytest
from chart import CHART, LEAST, NAMESPACE, Release, least, values_of


def every_container(release: Release):
    for _, pod in release.pods():
        assert "initContainers" not in pod
        yield from pod["containers"]


def test_no_pod_runs_as_root(variant: Release):
    for _, pod in variant.pods():
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] > 10_000 and context["runAsGroup"] > 10_000


def test_no_container_has_or_gains_a_privilege(variant: Release):
    for container in every_container(variant):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert not context.get("privileged")


def test_every_pod_has_the_runtimes_seccomp_profile(variant: Release):
    for _, pod in variant.pods():
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_no_container_can_write_to_its_root_file_system(variant: Release):
    for container in every_container(variant):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_every_container_has_requests_and_limits(variant: Release):
    for container in every_container(variant):
        for bound in ("requests", "limits"):
            assert set(container["resources"][bound]) >= {"cpu", "memory"}


def test_no_pod_gets_a_token_for_the_cluster(variant: Release):
    for _, pod in variant.pods():
        assert pod["automountServiceAccountToken"] is False
    assert variant.get("ServiceAccount")["automountServiceAccountToken"] is False


def test_no_pod_shares_anything_with_its_node(variant: Release):
    for _, pod in variant.pods():
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert not [volume for volume in pod.get("volumes", []) if "hostPath" in volume]


def test_nothing_may_ask_the_cluster_anything(variant: Release):
    kinds = {document["kind"] for document in variant.objects}
    assert not kinds & {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}


def test_variables_of_other_services_can_not_look_like_settings(variant: Release):
    assert variant.pod["enableServiceLinks"] is False


def test_files_are_mounted_read_only_and_by_the_folder_so_that_they_change(variant: Release):
    names = ("config", "credentials", "tls", "store-password", "store-ca")
    own = [mount for mount in variant.container["volumeMounts"] if mount["name"] in names]
    assert own
    for mount in own:
        assert mount["readOnly"] is True and "subPath" not in mount


def test_secrets_can_be_read_by_the_pods_group_only(variant: Release):
    secrets = [volume["secret"] for volume in variant.pod["volumes"] if "secret" in volume]
    assert all(secret["defaultMode"] == 0o440 for secret in secrets)
    assert all("items" in secret for secret in secrets), "more keys of a Secret than are needed"


def test_the_pods_group_can_write_to_the_volume_of_the_store():
    pod = Release(LEAST).pod
    assert [volume["name"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume] == ["store"]
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]


def test_the_image_is_never_latest(variant: Release):
    for container in every_container(variant):
        assert ":" in container["image"] and not container["image"].endswith(":latest")


def test_the_api_is_open_to_all_and_the_admin_port_to_prometheus_alone():
    policy = Release(LEAST).get("NetworkPolicy")["spec"]
    api, admin = policy["ingress"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [port["port"] for port in api["ports"]] == [8443] and "from" not in api
    assert [port["port"] for port in admin["ports"]] == [9090]
    assert admin["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]


def test_pods_reach_dns_and_port_443_and_no_instance_metadata():
    dns, github = Release(LEAST).get("NetworkPolicy")["spec"]["egress"]
    assert {(port["port"], port["protocol"]) for port in dns["ports"]} == {(53, "UDP"), (53, "TCP")}
    assert dns["to"][0]["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}}
    assert github["ports"] == [{"port": 443, "protocol": "TCP"}]
    assert github["to"] == [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}}]


def test_pods_reach_postgresql_at_the_port_of_its_url_and_where_the_values_say():
    (*_, database) = Release(values_of(CHART / "ci" / "postgres.yaml")).get("NetworkPolicy")["spec"]["egress"]
    assert database == {"ports": [{"port": 6432, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "10.20.0.0/16"}}]}


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("postgres://arm@db.example.com/arm", 5432),
        ("postgresql://arm@db.example.com:6432/arm", 6432),
        ("postgres://arm@[fd00::1]:6432/arm?sslmode=verify-full", 6432),
        ("postgres://arm@[fd00::1]/arm", 5432),
        ("postgres://arm@%2Frun%2Fpostgresql/arm", None),
        ("postgres://arm@/arm?host=/run/postgresql", None),
    ],
)
def test_the_port_of_postgresql_is_the_one_of_its_url(url: str, port: int | None):
    store = {"sqlite": {"enabled": False}, "postgres": {"enabled": True, "url": url}}
    (_, _, *more) = Release(least(store=store)).get("NetworkPolicy")["spec"]["egress"]
    assert more == ([{"ports": [{"port": port, "protocol": "TCP"}]}] if port else [])


def test_nobody_at_all_reaches_the_admin_port_without_metrics_from():
    release = Release(least(networkPolicy={"metricsFrom": []}))
    assert [rule["ports"][0]["port"] for rule in release.get("NetworkPolicy")["spec"]["ingress"]] == [8443]


def test_no_service_but_the_one_for_prometheus_shows_the_admin_port():
    release = Release(least(service={"type": "LoadBalancer"}, metrics={"serviceMonitor": {"enabled": True}}))
    name = "arm-actions-runner-manager"
    assert [port["targetPort"] for port in release.get("Service", name)["spec"]["ports"]] == ["api"]
    metrics = release.get("Service", f"{name}-metrics")["spec"]
    assert metrics["clusterIP"] == "None"
    assert [port["targetPort"] for port in metrics["ports"]] == ["admin"]
    assert release.get("Service", name)["metadata"]["namespace"] == NAMESPACE
