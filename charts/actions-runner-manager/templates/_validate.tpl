{{/* What the schema can't say: settings that need or exclude each other. All that is wrong is told at once. */}}
{{- define "arm.validate" -}}
{{- $wrong := list -}}
{{- $config := .Values.config -}}
{{- $server := $config.server | default dict -}}
{{- $tls := $server.tls | default dict -}}

{{- if not $config.org -}}
{{- $wrong = append $wrong "config.org is missing: the organisation's login" -}}
{{- end -}}
{{- if and (eq .Values.credentials.type "app") (not $config.appID) (not $config.tokenFile) -}}
{{- $wrong = append $wrong "config.appID is missing: the GitHub App's id (or set credentials.type: token)" -}}
{{- end -}}

{{- $credentials := list -}}
{{- if .Values.credentials.existingSecret }}{{ $credentials = append $credentials "credentials.existingSecret" }}{{ end -}}
{{- if .Values.externalSecrets.enabled }}{{ $credentials = append $credentials "externalSecrets.enabled" }}{{ end -}}
{{- if .Values.credentials.inline }}{{ $credentials = append $credentials "credentials.inline" }}{{ end -}}
{{- if $config.privateKeyFile }}{{ $credentials = append $credentials "config.privateKeyFile" }}{{ end -}}
{{- if $config.tokenFile }}{{ $credentials = append $credentials "config.tokenFile" }}{{ end -}}
{{- if ne (len $credentials) 1 -}}
{{- $wrong = append $wrong (printf "set one of credentials.existingSecret, externalSecrets.enabled, credentials.inline, config.privateKeyFile and config.tokenFile; set are: %s" ($credentials | join ", " | default "none")) -}}
{{- end -}}
{{- if .Values.externalSecrets.enabled -}}
{{- if not (and .Values.externalSecrets.storeRef.name .Values.externalSecrets.remoteRef.key) -}}
{{- $wrong = append $wrong "externalSecrets needs storeRef.name and remoteRef.key" -}}
{{- end -}}
{{- end -}}

{{- $certificates := list -}}
{{- if .Values.tls.existingSecret }}{{ $certificates = append $certificates "tls.existingSecret" }}{{ end -}}
{{- if .Values.tls.certManager.enabled }}{{ $certificates = append $certificates "tls.certManager.enabled" }}{{ end -}}
{{- if .Values.tls.selfSigned.enabled }}{{ $certificates = append $certificates "tls.selfSigned.enabled" }}{{ end -}}
{{- if $tls.certFile }}{{ $certificates = append $certificates "config.server.tls.certFile" }}{{ end -}}
{{- if eq (toString $tls.enabled) "false" }}{{ $certificates = append $certificates "config.server.tls.enabled: false" }}{{ end -}}
{{- if ne (len $certificates) 1 -}}
{{- $wrong = append $wrong (printf "set one of tls.existingSecret, tls.certManager.enabled, tls.selfSigned.enabled, config.server.tls.certFile and config.server.tls.enabled: false; set are: %s" ($certificates | join ", " | default "none")) -}}
{{- end -}}
{{- if and (eq (toString $tls.enabled) "false") (not $tls.terminatedElsewhere) -}}
{{- $wrong = append $wrong "without TLS the service listens on the loopback only, unless config.server.tls.terminatedElsewhere: true" -}}
{{- end -}}
{{- if .Values.tls.certManager.enabled -}}
{{- if not (and .Values.tls.certManager.issuerRef.name .Values.tls.certManager.dnsNames) -}}
{{- $wrong = append $wrong "tls.certManager needs issuerRef.name and dnsNames" -}}
{{- end -}}
{{- end -}}

{{- $sqlite := .Values.store.sqlite.enabled -}}
{{- $postgres := .Values.store.postgres -}}
{{- $stores := list -}}
{{- if $sqlite }}{{ $stores = append $stores "store.sqlite.enabled" }}{{ end -}}
{{- if $postgres.enabled }}{{ $stores = append $stores "store.postgres.enabled" }}{{ end -}}
{{- if hasKey ($config.store | default dict) "url" }}{{ $stores = append $stores "config.store.url" }}{{ end -}}
{{- if gt (len $stores) 1 -}}
{{- $wrong = append $wrong (printf "set one of store.sqlite.enabled (on by default), store.postgres.enabled and config.store.url; set are: %s" ($stores | join ", ")) -}}
{{- end -}}
{{- if and $postgres.enabled (not $postgres.url) -}}
{{- $wrong = append $wrong "store.postgres.url is missing" -}}
{{- end -}}
{{- if or (regexMatch "://[^/?#@]*:[^/?#]*@" (include "arm.storeURL" .)) (regexMatch "[?&]password=" (include "arm.storeURL" .)) -}}
{{- $wrong = append $wrong "the store's URL has a password in it: put the password into a Secret, and name it in store.postgres.existingSecret" -}}
{{- end -}}
{{- if include "arm.onePod" . -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicaCount) 1) -}}
{{- $wrong = append $wrong "SQLite is for one pod: set replicaCount: 1 and autoscaling.enabled: false, or use store.postgres" -}}
{{- end -}}
{{- if eq (toString .Values.podDisruptionBudget.enabled) "true" -}}
{{- $wrong = append $wrong "podDisruptionBudget is for more than one pod, and SQLite for one: leave podDisruptionBudget.enabled at auto, or use store.postgres" -}}
{{- end -}}
{{- if ne (include "arm.strategy" .) "Recreate" -}}
{{- $wrong = append $wrong "with SQLite a pod has to stop before its successor starts: set strategy.type: Recreate, or use store.postgres" -}}
{{- end -}}
{{- end -}}
{{- $groups := $config.groups | default dict -}}
{{- $named := contains "{id}" ($groups.name | default "") -}}
{{- $withoutGroups := eq (toString $groups.enabled) "false" -}}
{{- if not (or (include "arm.storeURL" .) $postgres.enabled $named $groups.trustNames $withoutGroups) -}}
{{- $wrong = append $wrong "without a store a group is its team's by its name, which maintainers can change: enable store.sqlite or store.postgres, put {id} into config.groups.name, or set config.groups.enabled: false (or config.groups.trustNames: true, which docs/security.md warns of)" -}}
{{- end -}}

{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- $wrong = append $wrong "ingress.hosts is empty" -}}
{{- end -}}
{{- if .Values.ingress.enabled -}}
{{- if not (or .Values.ingress.tlsSecret (include "arm.tlsSecret" .)) -}}
{{- $wrong = append $wrong "ingress.tlsSecret is missing: callers send tokens, so the Ingress has to serve TLS" -}}
{{- end -}}
{{- end -}}
{{- if .Values.gateway.enabled -}}
{{- if not (and .Values.gateway.parentRefs .Values.gateway.hostnames) -}}
{{- $wrong = append $wrong "gateway needs parentRefs and hostnames" -}}
{{- end -}}
{{- end -}}
{{- if eq (include "arm.port" .) (include "arm.adminPort" .) -}}
{{- $wrong = append $wrong "config.server.port and config.server.admin.port are the same" -}}
{{- end -}}

{{- $least := add (ternary (int .Values.preStopSleepSeconds) 0 (eq (include "arm.canSleep" .) "true")) 30 -}}
{{- if lt (int .Values.terminationGracePeriodSeconds) (int $least) -}}
{{- $wrong = append $wrong (printf "terminationGracePeriodSeconds must be %d or more: preStopSleepSeconds, 25 s for requests under way, and 5 s to end" $least) -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- $wrong = append $wrong "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}

{{- if and .Values.metrics.prometheusRule.enabled (not .Values.metrics.serviceMonitor.enabled) -}}
{{- $wrong = append $wrong "metrics.prometheusRule needs metrics.serviceMonitor: its rules go by that service's name" -}}
{{- end -}}

{{- if $wrong -}}
{{- fail (printf "\n\nThese values don't work:\n- %s\n" ($wrong | join "\n- ")) -}}
{{- end -}}
{{- end -}}
