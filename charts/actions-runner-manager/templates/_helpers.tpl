{{/* Names and labels. A name is cut at 51 characters: the longest ending is "-credentials", and 63 are allowed. */}}

{{- define "arm.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 51 | trimSuffix "-" -}}
{{- end -}}

{{- define "arm.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 51 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "arm.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 51 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 51 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "arm.selectorLabels" -}}
app.kubernetes.io/name: {{ include "arm.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Of the pod of `helm test`: not those that the Service and the NetworkPolicy select. */}}
{{- define "arm.testLabels" -}}
app.kubernetes.io/name: {{ include "arm.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels that every object has; those that others select by can't be overridden. */}}
{{- define "arm.labels" -}}
{{- $own := dict
      "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
      "app.kubernetes.io/version" (.Values.image.tag | default .Chart.AppVersion | trunc 63)
      "app.kubernetes.io/managed-by" .Release.Service
      "app.kubernetes.io/part-of" .Chart.Name -}}
{{- $selector := include "arm.selectorLabels" . | fromYaml -}}
{{- toYaml (mergeOverwrite $own (deepCopy .Values.commonLabels) $selector) -}}
{{- end -}}

{{/* What stands at the start of every object: (dict "root" $ "name" … "labels" … "annotations" …), the last two optional. */}}
{{- define "arm.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- toYaml (mergeOverwrite (include "arm.labels" .root | fromYaml) (deepCopy (.labels | default dict))) | nindent 2 }}
{{- with merge (dict) (deepCopy (.annotations | default dict)) (deepCopy .root.Values.commonAnnotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "arm.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "arm.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "arm.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The Secret that holds the App's key or the token, and the one of the certificate; empty: the files come from elsewhere. */}}
{{- define "arm.credentialsSecret" -}}
{{- if .Values.credentials.existingSecret -}}
{{- .Values.credentials.existingSecret -}}
{{- else if or .Values.credentials.inline .Values.externalSecrets.enabled -}}
{{- printf "%s-credentials" (include "arm.fullname" .) -}}
{{- end -}}
{{- end -}}

{{- define "arm.tlsSecret" -}}
{{- if .Values.tls.existingSecret -}}
{{- .Values.tls.existingSecret -}}
{{- else if or .Values.tls.certManager.enabled .Values.tls.selfSigned.enabled -}}
{{- printf "%s-tls" (include "arm.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* Only Secrets that somebody else makes have other keys than these. */}}
{{- define "arm.certKey" -}}
{{- ternary .Values.tls.certKey "tls.crt" (ne .Values.tls.existingSecret "") -}}
{{- end -}}

{{- define "arm.keyKey" -}}
{{- ternary .Values.tls.keyKey "tls.key" (ne .Values.tls.existingSecret "") -}}
{{- end -}}

{{- define "arm.storeClaim" -}}
{{- .Values.store.sqlite.existingClaim | default (printf "%s-store" (include "arm.fullname" .)) -}}
{{- end -}}

{{/* The section `store` of config.yml, as far as the chart knows it. */}}
{{- define "arm.store" -}}
{{- $folder := "/etc/actions-runner-manager" -}}
{{- $postgres := .Values.store.postgres -}}
{{- $store := dict -}}
{{- if .Values.store.sqlite.enabled -}}
{{- $_ := set $store "url" "sqlite:///var/lib/actions-runner-manager/state.db" -}}
{{- /* At about 1 KB an event, half of the default volume. */}}
{{- $_ := set $store "mostEvents" 500000 -}}
{{- else if $postgres.enabled -}}
{{- $_ := set $store "url" $postgres.url -}}
{{- if $postgres.existingSecret -}}
{{- $_ := set $store "passwordFile" (printf "%s/store-password/%s" $folder $postgres.passwordKey) -}}
{{- end -}}
{{- if $postgres.caSecret -}}
{{- $_ := set $store "caFile" (printf "%s/store-ca/%s" $folder $postgres.caKey) -}}
{{- end -}}
{{- end -}}
{{- toYaml $store -}}
{{- end -}}

{{/* The content of config.yml: what the chart knows, under what `config` says. */}}
{{- define "arm.config" -}}
{{- $folder := "/etc/actions-runner-manager" -}}
{{- $server := dict "address" "0.0.0.0" "port" 8443 "admin" (dict "address" "0.0.0.0" "port" 9090) -}}
{{- if include "arm.tlsSecret" . -}}
{{- $_ := set $server "tls" (dict
      "certFile" (printf "%s/tls/%s" $folder (include "arm.certKey" .))
      "keyFile" (printf "%s/tls/%s" $folder (include "arm.keyKey" .))) -}}
{{- end -}}
{{- $config := dict "server" $server -}}
{{- with include "arm.store" . | fromYaml -}}
{{- $_ := set $config "store" . -}}
{{- end -}}
{{- if include "arm.credentialsSecret" . -}}
{{- $file := ternary "privateKeyFile" "tokenFile" (eq .Values.credentials.type "app") -}}
{{- $_ := set $config $file (printf "%s/credentials/%s" $folder .Values.credentials.secretKey) -}}
{{- end -}}
{{- toYaml (mergeOverwrite $config (deepCopy .Values.config)) -}}
{{- end -}}

{{/* The settings that the service reads again while it runs start no new pods when they change. */}}
{{- define "arm.configOfStart" -}}
{{- $config := include "arm.config" . | fromYaml -}}
{{- range list "policy" "scopes" "oidc" "access" "server.rateLimit" "server.rateBurst" "server.unknownTokenRate" "logging.level" -}}
{{- $path := splitList "." . -}}
{{- if eq (len $path) 1 -}}
{{- $_ := unset $config (first $path) -}}
{{- else if hasKey $config (first $path) -}}
{{- $section := unset (get $config (first $path)) (last $path) -}}
{{- if not $section -}}
{{- $_ := unset $config (first $path) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* Where the service keeps its records; empty: nowhere. */}}
{{- define "arm.storeURL" -}}
{{- ((include "arm.config" . | fromYaml).store | default dict).url | default "" -}}
{{- end -}}

{{/* "true" if the store is a file, which one process at a time may use. */}}
{{- define "arm.onePod" -}}
{{- if hasPrefix "sqlite:" (include "arm.storeURL" .) -}}true{{- end -}}
{{- end -}}

{{/* "true" if the pods share a store, and so act as one service. */}}
{{- define "arm.sharedStore" -}}
{{- if regexMatch "^postgres(ql)?://" (include "arm.storeURL" .) -}}true{{- end -}}
{{- end -}}

{{/* "true" if there may be more than one pod at a time, other than during an update. */}}
{{- define "arm.severalPods" -}}
{{- $most := ternary .Values.autoscaling.maxReplicas .Values.replicaCount .Values.autoscaling.enabled -}}
{{- if gt (int $most) 1 -}}true{{- end -}}
{{- end -}}

{{/* "true" if a drain of nodes has to leave pods: with several of them, unless the values decide. */}}
{{- define "arm.disruptionBudget" -}}
{{- $enabled := toString .Values.podDisruptionBudget.enabled -}}
{{- if or (eq $enabled "true") (and (eq $enabled "auto") (include "arm.severalPods" .)) -}}true{{- end -}}
{{- end -}}

{{- define "arm.strategy" -}}
{{- .Values.strategy.type | default (ternary "Recreate" "RollingUpdate" (eq (include "arm.onePod" .) "true")) -}}
{{- end -}}

{{/* The port of a PostgreSQL server that is reached over the network; empty: there is none. */}}
{{- define "arm.postgresPort" -}}
{{- $url := include "arm.storeURL" . -}}
{{- $authority := regexReplaceAll "^postgres(ql)?://([^/?#]*@)?([^/?#]*).*$" $url "${3}" -}}
{{- $socket := or (hasPrefix "%2F" ($authority | upper)) (regexMatch "[?&]host=(/|%2F)" $url) -}}
{{- if and (regexMatch "^postgres(ql)?://" $url) (not $socket) -}}
{{- regexFind ":[0-9]+$" $authority | trimPrefix ":" | default "5432" -}}
{{- end -}}
{{- end -}}

{{- define "arm.port" -}}
{{- (include "arm.config" . | fromYaml).server.port | int -}}
{{- end -}}

{{- define "arm.adminPort" -}}
{{- (include "arm.config" . | fromYaml).server.admin.port | int -}}
{{- end -}}

{{/* "true" unless something in front of the pods does TLS. */}}
{{- define "arm.tlsInPods" -}}
{{- $tls := (include "arm.config" . | fromYaml).server.tls | default dict -}}
{{- if ne (toString $tls.enabled) "false" -}}true{{- end -}}
{{- end -}}

{{/* `preStop: sleep` needs no program in the image, but Kubernetes 1.30. */}}
{{- define "arm.canSleep" -}}
{{- $version := .Values.kubeVersionOverride | default .Capabilities.KubeVersion.Version -}}
{{- if and (gt (int .Values.preStopSleepSeconds) 0) (semverCompare ">=1.30-0" $version) -}}true{{- end -}}
{{- end -}}

{{/* The host that people call: of the Ingress, the route, or the certificate. */}}
{{- define "arm.host" -}}
{{- if .Values.ingress.enabled -}}
{{- first .Values.ingress.hosts -}}
{{- else if .Values.gateway.enabled -}}
{{- first .Values.gateway.hostnames -}}
{{- else if .Values.tls.certManager.enabled -}}
{{- first .Values.tls.certManager.dnsNames -}}
{{- end -}}
{{- end -}}
