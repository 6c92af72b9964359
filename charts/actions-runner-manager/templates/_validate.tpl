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
