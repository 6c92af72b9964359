"""What each value does."""

from __future__ import annotations

import base64

import pytest
from chart import CHART, FULLNAME, LEAST, Release, least, refusal, values_of


def variant(name: str) -> Release:
    return Release(values_of(CHART / "ci" / f"{name}.yaml"))


def volume(release: Release, name: str) -> dict | None:
    return next((volume for volume in release.pod["volumes"] if volume["name"] == name), None)


# --- configuration ---


def test_config_is_written_as_it_is_over_what_the_chart_knows():
    config = Release(least(config={"policy": {"maxRunners": 7}, "server": {"rateLimit": 2.5}})).config
    assert config["policy"] == {"maxRunners": 7}
    assert config["server"]["rateLimit"] == 2.5
    assert config["server"]["address"] == "0.0.0.0"


def test_large_numbers_are_written_as_whole_numbers():
    release = variant("existing-secrets")
    assert release.config["appID"] == 1234567890
    assert "appID: 1234567890\n" in release.config_text


def test_what_is_switched_off_stays_off():
    server = {"legacyGet": False, "docs": False, "rateLimit": 1}
    config = Release(least(config={"server": server, "policy": {"registrationTokens": False}})).config
    assert server.items() <= config["server"].items()
    assert config["policy"]["registrationTokens"] is False


def test_the_address_of_a_listener_can_be_another():
    config = Release(least(config={"server": {"address": "::", "admin": {"address": "::"}}})).config
    assert config["server"]["address"] == "::"
    assert config["server"]["admin"] == {"address": "::", "port": 9090}


def checksum(values: dict) -> str:
    return Release(values).get("Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]


@pytest.mark.parametrize(
    "config",
    [
        {"server": {"legacyGet": False}},
        {"logging": {"format": "text"}},
        {"cache": {"team": "1m"}},
        {"admin": {"team": "platform"}},
        {"store": {"grace": "1h"}},
    ],
)
def test_a_changed_config_starts_new_pods(config: dict):
    assert checksum(LEAST) == checksum(least(terminationGracePeriodSeconds=60))
    assert checksum(LEAST) != checksum(least(config=config))


@pytest.mark.parametrize(
    "config",
    [
        {"policy": {"teams": {"deny": ["payments"]}}},
        {"scopes": {"allow": ["my-org/*"]}},
        {"server": {"rateLimit": 9, "rateBurst": 9, "unknownTokenRate": 9}},
        {"logging": {"level": "debug"}},
    ],
)
def test_what_the_service_reads_again_starts_no_new_pods(config: dict):
    assert checksum(LEAST) == checksum(least(config=config))
    assert Release(least(config=config)).config_text != Release(LEAST).config_text


@pytest.mark.parametrize("key", ["privateKey", "token"])
def test_a_secret_in_config_is_refused(key: str):
    assert "additional properties" in refusal(least(config={key: "secret"}))


# --- credentials ---


def test_the_key_of_an_existing_secret_is_mounted_under_its_own_name():
    release = variant("existing-secrets")
    assert volume(release, "credentials")["secret"]["secretName"] == "github-app"
    assert release.config["privateKeyFile"] == "/etc/actions-runner-manager/credentials/key.pem"
    assert not release.find("Secret") and not release.find("ExternalSecret")


def test_an_external_secret_takes_the_key_from_the_store():
    release = variant("aws")
    external = release.get("ExternalSecret")["spec"]
    assert external["secretStoreRef"] == {"kind": "SecretStore", "name": "aws"}
    assert external["data"] == [{"secretKey": "private-key.pem", "remoteRef": {"key": "arm/github-app-key"}}]
    assert external["target"]["name"] == volume(release, "credentials")["secret"]["secretName"]


def test_an_inline_key_is_put_into_a_secret_and_not_into_the_config():
    release = Release(values_of(CHART / "ci" / "trial.yaml") | {"credentials": {"inline": "the key"}})
    secret = release.get("Secret", f"{FULLNAME}-credentials")
    assert base64.b64decode(secret["data"]["private-key.pem"]) == b"the key"
    assert "the key" not in release.config_text
    assert "trials only" in release.notes


def test_a_token_takes_the_place_of_the_app():
    config = variant("enterprise-server").config
    assert config["tokenFile"] == "/etc/actions-runner-manager/credentials/token"
    assert "privateKeyFile" not in config and "appID" not in config


def test_files_of_own_volumes_need_no_secret():
    release = variant("own-volumes")
    assert release.config["privateKeyFile"] == "/mnt/secrets/key.pem"
    assert volume(release, "credentials") is None and volume(release, "tls") is None
    assert volume(release, "secrets")["csi"]["driver"] == "secrets-store.csi.k8s.io"


@pytest.mark.parametrize("more", [{"inline": "x"}, {"existingSecret": ""}])
def test_there_is_one_source_of_the_credential(more: dict):
    assert "set one of credentials.existingSecret" in refusal(least(credentials=more))


# --- certificate ---


def test_cert_manager_makes_the_certificate():
    release = variant("aws")
    certificate = release.get("Certificate")["spec"]
    assert certificate["dnsNames"] == ["arm.example.com"]
    assert certificate["issuerRef"] == {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": "letsencrypt"}
    assert certificate["secretName"] == volume(release, "tls")["secret"]["secretName"]


def test_a_certificate_of_an_existing_secret_is_mounted_under_its_own_names():
    tls = variant("existing-secrets").config["server"]["tls"]
    folder = "/etc/actions-runner-manager/tls"
    assert tls == {"certFile": f"{folder}/fullchain.pem", "keyFile": f"{folder}/privkey.pem"}


def test_other_keys_are_those_of_an_existing_secret_only():
    tls = {"existingSecret": "", "selfSigned": {"enabled": True}, "certKey": "other"}
    assert Release(least(tls=tls)).config["server"]["tls"]["certFile"].endswith("/tls.crt")


def test_a_self_signed_certificate_says_that_it_is_for_trials():
    release = variant("trial")
    assert set(release.get("Secret", f"{FULLNAME}-tls")["data"]) == {"tls.crt", "tls.key"}
    assert "self-signed" in release.notes and "curl --insecure" in release.notes


@pytest.mark.parametrize(
    ("more", "insecure"),
    [
        ({"service": {"type": "LoadBalancer"}}, True),
        ({"ingress": {"enabled": True, "hosts": ["arm.example.com"]}}, True),
        ({"ingress": {"enabled": True, "hosts": ["arm.example.com"], "tlsSecret": "real"}}, False),
    ],
)
def test_curl_is_told_not_to_check_the_self_signed_certificate_where_callers_see_it(more: dict, insecure: bool):
    release = Release(values_of(CHART / "ci" / "trial.yaml") | more)
    assert ("curl --insecure" in release.notes) is insecure


def test_behind_a_mesh_the_pods_speak_http():
    release = variant("mesh")
    assert release.get("Service")["spec"]["ports"][0]["appProtocol"] == "http"
    annotations = release.get("Ingress")["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/backend-protocol"] == "HTTP"


def test_there_is_one_source_of_the_certificate():
    assert "set one of tls.existingSecret" in refusal(least(tls={"selfSigned": {"enabled": True}}))
    assert "set one of tls.existingSecret" in refusal(least(tls={"existingSecret": ""}))


def test_without_tls_something_else_must_do_it():
    values = least(tls={"existingSecret": ""}, config={"server": {"tls": {"enabled": False}}})
    assert "terminatedElsewhere" in refusal(values)


# --- store ---

NO_STORE = {"sqlite": {"enabled": False}}
WITH_ID = {"groups": {"name": "{team}-{id}"}}


def mount(release: Release, name: str) -> dict | None:
    return next((mount for mount in release.container["volumeMounts"] if mount["name"] == name), None)


def test_the_store_is_a_file_on_a_volume_of_its_own():
    release = Release(LEAST)
    claim = release.get("PersistentVolumeClaim")
    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    assert volume(release, "store")["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
    folder = mount(release, "store")["mountPath"]
    assert release.config["store"] == {"url": f"sqlite://{folder}/state.db", "mostEvents": 500000}
    assert "readOnly" not in mount(release, "store") and "subPath" not in mount(release, "store")
    assert f"the claim {claim['metadata']['name']}" in release.notes


def test_the_claim_outlives_the_release_unless_the_values_say_otherwise():
    def annotations(release: Release) -> dict:
        return release.get("PersistentVolumeClaim")["metadata"].get("annotations", {})

    assert annotations(Release(LEAST)) == {"helm.sh/resource-policy": "keep"}
    values = {"keep": False, "annotations": {"example.com/backup": "daily"}}
    assert annotations(Release(least(store={"sqlite": values}))) == {"example.com/backup": "daily"}


def test_the_claim_has_the_size_and_the_class_of_the_values():
    claim = variant("aws").get("PersistentVolumeClaim")["spec"]
    assert claim["storageClassName"] == "gp3" and claim["resources"]["requests"] == {"storage": "2Gi"}
    assert claim["accessModes"] == ["ReadWriteOncePod"]


def test_a_larger_volume_may_hold_more_events():
    release = Release(least(store={"sqlite": {"size": "10Gi"}}, config={"store": {"mostEvents": 5000000}}))
    assert release.config["store"]["mostEvents"] == 5000000
    assert "mostEvents: 5000000\n" in release.config_text


def test_a_claim_that_exists_is_used_as_it_is():
    release = variant("existing-claim")
    assert not release.find("PersistentVolumeClaim")
    assert volume(release, "store")["persistentVolumeClaim"] == {"claimName": "restored"}
    assert "the claim restored" in release.notes


def test_with_a_file_there_is_one_pod_that_stops_before_its_successor_starts():
    deployment = Release(LEAST).get("Deployment")["spec"]
    assert deployment["replicas"] == 1
    assert deployment["strategy"] == {"type": "Recreate"}
    assert not Release(LEAST).find("PodDisruptionBudget")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"replicaCount": 2}, "SQLite is for one pod"),
        ({"autoscaling": {"enabled": True}}, "SQLite is for one pod"),
        ({"podDisruptionBudget": {"enabled": True}}, "podDisruptionBudget is for more than one pod"),
        ({"strategy": {"type": "RollingUpdate"}}, "has to stop before its successor starts"),
    ],
)
def test_what_needs_several_pods_is_refused_with_a_file(more: dict, said: str):
    own = {"store": NO_STORE, "config": {"store": {"url": "sqlite:///data/state.db"}}}
    assert said in refusal(least(**more))
    assert said in refusal(least(**own, **more))
    assert Release(least(store={"sqlite": {"enabled": False}}, config=WITH_ID, **more))


def test_postgresql_has_its_password_and_its_authority_from_secrets():
    release = variant("postgres")
    folder = "/etc/actions-runner-manager"
    assert release.config["store"] == {
        "url": "postgres://arm@db.example.com:6432/arm",
        "passwordFile": f"{folder}/store-password/arm-password",
        "caFile": f"{folder}/store-ca/ca.crt",
        "grace": "30m",
        "keep": "30d",
    }
    assert volume(release, "store-password")["secret"]["secretName"] == "arm-database"
    assert volume(release, "store-ca")["secret"]["secretName"] == "database-ca"
    assert mount(release, "store-password")["mountPath"] == f"{folder}/store-password"
    assert mount(release, "store-ca")["mountPath"] == f"{folder}/store-ca"
    assert not release.find("PersistentVolumeClaim") and volume(release, "store") is None


def test_postgresql_without_a_password_needs_no_secret():
    release = Release(least(store={**NO_STORE, "postgres": {"enabled": True, "url": "postgres://arm@localhost/arm"}}))
    assert release.config["store"] == {"url": "postgres://arm@localhost/arm"}
    assert not [one for one in release.pod["volumes"] if one["name"].startswith("store")]


def test_without_a_store_the_names_of_groups_hold_ids():
    release = variant("no-store")
    assert "store" not in release.config and volume(release, "store") is None
    assert "there is no store" in release.notes


@pytest.mark.parametrize("groups", [{}, {"name": "{team}"}, {"enabled": True}, {"trustNames": False}])
def test_without_a_store_names_without_ids_are_refused(groups: dict):
    assert "a group is its team's by its name" in refusal(least(store=NO_STORE, config={"groups": groups}))


@pytest.mark.parametrize("groups", [{"name": "arm-{id}"}, {"enabled": False}, {"trustNames": True}])
def test_without_a_store_the_values_say_how_groups_are_known(groups: dict):
    release = Release(least(store=NO_STORE, config={"groups": groups}))
    assert ("takes over the group" in release.notes) is bool(groups.get("trustNames"))


@pytest.mark.parametrize(
    "values",
    [
        {"store": {"postgres": {"enabled": True, "url": "postgres://arm@db/arm"}}},
        {"config": {"store": {"url": "sqlite:///data/state.db"}}},
        {"config": {"store": {"url": ""}}},
        {
            "store": {**NO_STORE, "postgres": {"enabled": True, "url": "postgres://arm@db/arm"}},
            "config": {"store": {"url": "postgres://arm@other/arm"}},
        },
    ],
)
def test_there_is_one_store(values: dict):
    assert "set one of store.sqlite.enabled" in refusal(least(**values))


@pytest.mark.parametrize("url", ["postgres://arm:secret@db.example.com/arm", "postgres://arm@db.example.com/arm?password=secret"])
def test_a_password_in_the_url_is_refused(url: str):
    said = "the store's URL has a password in it"
    assert said in refusal(least(store={**NO_STORE, "postgres": {"enabled": True, "url": url}}))
    assert said in refusal(least(store=NO_STORE, config={"store": {"url": url}}))


def test_postgresql_needs_a_url():
    assert "store.postgres.url is missing" in refusal(least(store={**NO_STORE, "postgres": {"enabled": True}}))


# --- how it is reached ---


def test_the_ingress_serves_tls_and_speaks_tls_to_the_pods():
    ingress = variant("aws").get("Ingress")
    assert ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/backend-protocol"] == "HTTPS"
    assert ingress["spec"]["tls"] == [{"secretName": f"{FULLNAME}-tls", "hosts": ["arm.example.com"]}]
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"] == {"name": FULLNAME, "port": {"number": 443}}


def test_another_controller_takes_another_annotation():
    name = "alb.ingress.kubernetes.io/backend-protocol"
    release = Release(least(ingress={"enabled": True, "hosts": ["a.example.com"], "backendProtocolAnnotation": name}))
    assert release.get("Ingress")["metadata"]["annotations"] == {name: "HTTPS"}


def test_an_ingress_without_tls_is_refused():
    mesh = values_of(CHART / "ci" / "mesh.yaml")
    mesh["ingress"]["tlsSecret"] = ""
    assert "ingress.tlsSecret is missing" in refusal(mesh)


def test_a_gateway_routes_and_checks_the_pods_certificate():
    release = variant("gateway")
    assert release.get("HTTPRoute")["spec"]["rules"][0]["backendRefs"] == [{"name": FULLNAME, "port": 443}]
    validation = release.get("BackendTLSPolicy")["spec"]["validation"]
    assert validation["hostname"] == "arm.internal.example.com"
    assert validation["caCertificateRefs"] == [{"group": "", "kind": "ConfigMap", "name": "private-ca"}]
    assert not release.find("Ingress")


def test_notes_warn_of_a_proxy_whose_callers_can_not_be_told_apart():
    assert "trustedProxies is empty" in variant("gateway").notes
    assert "trustedProxies" not in variant("aws").notes
    balancer = Release(LEAST | {"service": {"type": "LoadBalancer"}})
    assert "externalTrafficPolicy is not Local" in balancer.notes
    assert "externalTrafficPolicy" not in variant("all-extras").notes


def test_notes_have_a_curl_line_for_the_host():
    assert "https://arm.example.com/api/v1/status" in variant("aws").notes
    assert "https://localhost:8443/api/v1/status" in Release(LEAST).notes


def test_a_service_takes_the_settings_of_a_load_balancer():
    service = variant("all-extras").get("Service")
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["spec"]["externalTrafficPolicy"] == "Local"
    assert service["spec"]["loadBalancerClass"] == "service.k8s.aws/nlb"
    assert service["spec"]["loadBalancerSourceRanges"] == ["10.0.0.0/8"]


# --- how it runs ---


def test_a_digest_wins_over_a_tag():
    assert variant("all-extras").container["image"].startswith("registry.example.com/arm@sha256:0123")


def test_the_tag_is_the_charts_version_unless_another_is_named():
    repository = "ghcr.io/actions-runner-manager/actions-runner-manager"
    assert Release(LEAST).container["image"] == f"{repository}:0.1.0"
    assert Release(least(image={"tag": "1.2.3"})).container["image"] == f"{repository}:1.2.3"


def test_every_pod_pulls_the_image_with_the_secrets():
    for _, pod in variant("aws").pods():
        assert pod["imagePullSecrets"] == [{"name": "ghcr"}]


POSTGRES = {**NO_STORE, "postgres": {"enabled": True, "url": "postgres://arm@db.example.com/arm"}}
SEVERAL = [{"replicaCount": 2}, {"autoscaling": {"enabled": True}}]


@pytest.mark.parametrize("more", SEVERAL)
@pytest.mark.parametrize(
    "shared",
    [{"store": POSTGRES}, {"store": NO_STORE, "config": {"store": {"url": "postgresql://arm@db.example.com/arm"}}}],
)
def test_several_pods_with_postgresql_are_one_service(shared: dict, more: dict):
    notes = Release(least(**shared, **more)).notes
    assert "act as one service" in notes and "don't know of each other" not in notes


@pytest.mark.parametrize("more", SEVERAL)
@pytest.mark.parametrize("url", [{}, {"store": {"url": ""}}])
def test_several_pods_without_a_store_are_allowed_and_the_notes_say_what_they_do_not_share(url: dict, more: dict):
    notes = Release(least(store=NO_STORE, config=WITH_ID | url, **more)).notes
    assert "without PostgreSQL the pods don't know of each other" in notes
    for what in ("rate limit", "share of GitHub's calls", "policy.maxRunners", "asks", "sweeps"):
        assert what in notes, what


@pytest.mark.parametrize("values", [LEAST, least(store=POSTGRES), least(store=NO_STORE, config=WITH_ID)])
def test_of_one_pod_the_notes_say_nothing_about_others(values: dict):
    notes = Release(values).notes
    assert "act as one service" not in notes and "don't know of each other" not in notes


def test_autoscaling_takes_the_number_of_pods_over():
    release = variant("all-extras")
    scaler = release.get("HorizontalPodAutoscaler")["spec"]
    assert "replicas" not in release.get("Deployment")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 9)
    assert [metric["resource"]["name"] for metric in scaler["metrics"]] == ["cpu", "memory"]


@pytest.mark.parametrize(
    ("more", "made"),
    [
        ({}, False),
        ({"replicaCount": 2}, True),
        ({"replicaCount": 2, "podDisruptionBudget": {"enabled": False}}, False),
        ({"podDisruptionBudget": {"enabled": True}}, True),
        ({"autoscaling": {"enabled": True}}, True),
        ({"autoscaling": {"enabled": True, "minReplicas": 1, "maxReplicas": 1}, "replicaCount": 2}, False),
    ],
)
@pytest.mark.parametrize("store", [{"store": POSTGRES}, {"store": NO_STORE, "config": WITH_ID}])
def test_a_drain_leaves_pods_where_there_may_be_several(store: dict, more: dict, made: bool):
    budget = Release(least(**store, **more)).find("PodDisruptionBudget")
    assert (budget is not None) is made


def test_a_node_can_be_drained_one_pod_at_a_time():
    budget = variant("postgres").get("PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1 and "minAvailable" not in budget
    assert variant("all-extras").get("PodDisruptionBudget")["spec"]["maxUnavailable"] == "25%"


def test_a_new_version_starts_before_an_old_pod_stops():
    def strategy(release: Release) -> dict:
        return release.get("Deployment")["spec"]["strategy"]

    assert strategy(variant("postgres")) == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert strategy(variant("no-store")) == strategy(variant("postgres"))
    assert strategy(variant("all-extras"))["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": 0}
    recreate = least(store=NO_STORE, config=WITH_ID, strategy={"type": "Recreate"})
    assert strategy(Release(recreate)) == {"type": "Recreate"}


def test_pods_are_spread_over_zones_and_nodes():
    release = Release(LEAST)
    spread = release.pod["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    labels = release.get("Deployment")["spec"]["template"]["metadata"]["labels"]
    for one in spread:
        assert one["labelSelector"]["matchLabels"].items() <= labels.items()
    assert "topologySpreadConstraints" not in variant("all-extras").pod


def test_the_grace_period_covers_the_sleep_and_the_requests_under_way():
    release = Release(LEAST)
    sleep = release.container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert release.pod["terminationGracePeriodSeconds"] >= sleep + 25
    assert "must be 50 or more" in refusal(least(preStopSleepSeconds=20))


@pytest.mark.parametrize("values", [{"kubeVersionOverride": "v1.29.5"}, {"preStopSleepSeconds": 0}])
def test_where_kubernetes_can_not_sleep_the_notes_say_so(values: dict):
    release = Release(least(**values))
    assert "lifecycle" not in release.container
    assert "refused connections" in release.notes


def test_a_service_account_can_be_one_that_exists():
    release = Release(least(serviceAccount={"create": False, "name": "mine"}))
    assert release.pod["serviceAccountName"] == "mine" and not release.find("ServiceAccount")


def test_extras_end_up_where_they_belong():
    release = variant("all-extras")
    deployment = release.get("Deployment")
    pod = deployment["spec"]["template"]["metadata"]
    assert deployment["metadata"]["name"] == "arm"
    assert deployment["metadata"]["annotations"] == {"example.com/ticket": "1234", "example.com/owner": "platform"}
    assert pod["labels"]["example.com/log"] == "yes" and pod["labels"]["team"] == "platform"
    assert pod["annotations"]["example.com/scrape"] == "no" and pod["annotations"]["example.com/owner"] == "platform"
    assert {"name": "ARM_LOGGING_FORMAT", "value": "text"} in release.container["env"]
    assert release.container["envFrom"] == [{"configMapRef": {"name": "arm-settings"}}]
    assert release.pod["nodeSelector"] == {"kubernetes.io/arch": "arm64"}
    assert release.pod["tolerations"][0]["value"] == "platform"
    assert release.pod["priorityClassName"] == "platform" and "nodeAffinity" in release.pod["affinity"]


def test_labels_that_others_select_by_can_not_be_changed():
    release = Release(least(commonLabels={"app.kubernetes.io/name": "x"}, podLabels={"app.kubernetes.io/instance": "y"}))
    deployment = release.get("Deployment")["spec"]
    assert deployment["selector"]["matchLabels"].items() <= deployment["template"]["metadata"]["labels"].items()


# --- mistakes ---


def test_all_mistakes_are_told_at_once():
    said = refusal({})
    for part in ("config.org is missing", "config.appID is missing", "set one of credentials", "set one of tls"):
        assert part in said


@pytest.mark.parametrize(
    "values",
    [
        {"replicas": 3},
        {"image": {"name": "x"}},
        {"config": {"policy": {"team": {}}}},
        {"config": {"github": {"share": {"user": "5%"}}}},
        {"config": {"store": {"path": "/x"}}},
        {"store": {"sqlite": {"path": "/x"}}},
        {"config": {"server": {"tls": {"cert": "/x"}}}},
        {"tls": {"certManager": {"issuer": "x"}}},
        {"metrics": {"serviceMonitor": {"enable": True}}},
    ],
)
def test_an_unknown_key_is_refused(values: dict):
    assert "additional properties" in refusal(least(**values))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replicaCount": "two"}, "replicaCount"),
        ({"podDisruptionBudget": {"enabled": "maybe"}}, "podDisruptionBudget"),
        ({"image": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
        ({"config": {"github": {"timeout": "10 seconds"}}}, "timeout"),
        ({"config": {"github": {"share": {"team": "120%"}}}}, "team"),
        ({"config": {"github": {"reserve": 0.1}}}, "reserve"),
        ({"config": {"server": {"port": 443}}}, "port"),
        ({"ingress": {"enabled": True}}, "ingress.hosts is empty"),
        ({"gateway": {"enabled": True}}, "gateway needs parentRefs"),
        ({"autoscaling": {"enabled": True, "minReplicas": 9}}, "autoscaling.minReplicas"),
        ({"store": {"sqlite": {"size": "one"}}}, "size"),
        ({"store": {"sqlite": {"accessModes": ["ReadWriteMany"]}}}, "accessModes"),
        ({"store": {"postgres": {"url": "mysql://db/arm"}}}, "url"),
        ({"config": {"store": {"keep": "3 months"}}}, "keep"),
        ({"metrics": {"prometheusRule": {"enabled": True}}}, "needs metrics.serviceMonitor"),
        ({"config": {"server": {"port": 9090}}}, "are the same"),
    ],
)
def test_a_value_that_can_not_work_is_refused(values: dict, said: str):
    assert said in refusal(least(**values))
