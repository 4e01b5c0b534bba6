{{/* What the process is told: values become flags here, and nowhere else. */}}

{{- define "paifang.ingressClassName" -}}
{{- .Values.ingressClass.name | default .Values.className }}
{{- end }}

{{- define "paifang.controllerName" -}}
{{- $default := "paifang.dev/ingress-controller" }}
{{- if ne .Values.className "paifang" }}{{ $default = printf "%s-%s" $default .Values.className }}{{ end }}
{{- .Values.controllerName | default $default }}
{{- end }}

{{/* Watched namespaces, joined by commas; empty means all. */}}
{{- define "paifang.watchNamespaces" -}}
{{- if eq .Values.rbac.scope "namespace" -}}
{{- .Values.watchNamespaces | default (list .Release.Namespace) | uniq | sortAlpha | join "," }}
{{- end -}}
{{- end }}

{{/* Namespaces with readable TLS Secrets, joined by commas; `*` means all. */}}
{{- define "paifang.tlsNamespaces" -}}
{{- if .Values.tls.clusterWide }}*{{ else }}{{ .Values.tls.namespaces | default (list .Release.Namespace) | uniq | sortAlpha | join "," }}{{ end -}}
{{- end }}

{{/* `name` or `namespace/name` -> `namespace/name`: (list $ "value"). */}}
{{- define "paifang.secretRef" -}}
{{- $root := index . 0 }}{{- $ref := index . 1 }}
{{- if contains "/" $ref }}{{ $ref }}{{ else }}{{ $root.Release.Namespace }}/{{ $ref }}{{ end }}
{{- end }}

{{/* Service whose addresses go to the status of Ingresses; empty for none. */}}
{{- define "paifang.publishService" -}}
{{- if and .Values.publishService.enabled (not .Values.publishAddresses) }}
{{- if .Values.publishService.pathOverride }}{{ .Values.publishService.pathOverride }}
{{- else if .Values.service.enabled }}{{ .Release.Namespace }}/{{ include "paifang.fullname" . }}{{ end }}
{{- end }}
{{- end }}

{{- define "paifang.adminUrl" -}}
http://{{ include "paifang.fullname" . }}-admin.{{ .Release.Namespace }}:{{ int .Values.ports.admin.port }}
{{- end }}

{{/* The command line of `paifang serve`, as a YAML list. */}}
{{- define "paifang.args" -}}
- serve
- --http={{ .Values.bindAddress }}:{{ int .Values.ports.http.port }}
- --https={{ .Values.bindAddress }}:{{ int .Values.ports.https.port }}
- --admin={{ .Values.bindAddress }}:{{ int .Values.ports.admin.port }}
- --class-name={{ .Values.className }}
- --controller-name={{ include "paifang.controllerName" . }}
{{- with include "paifang.watchNamespaces" . }}
- --watch-namespaces={{ . }}
{{- end }}
- --tls-namespaces={{ include "paifang.tlsNamespaces" . }}
{{- if .Values.podWeights.enabled }}
- --pod-weights
{{- end }}
{{- if .Values.podRegistrations.enabled }}
- --pod-registrations
{{- end }}
- --tls-min-version={{ .Values.tls.minVersion }}
- --strict-sni={{ .Values.tls.strictSni }}
{{- with .Values.tls.defaultCertificate }}
- --default-certificate={{ include "paifang.secretRef" (list $ .) }}
{{- end }}
{{- with .Values.tls.ticketKeys }}
- --tls-ticket-keys={{ include "paifang.secretRef" (list $ .) }}
{{- end }}
{{- with include "paifang.publishService" . }}
- --publish-service={{ . }}
{{- end }}
{{- with .Values.publishAddresses }}
- --publish-address={{ join "," . }}
{{- end }}
- --lease-name={{ include "paifang.fullname" . }}
{{- with .Values.threads }}
- --threads={{ int . }}
{{- end }}
- --drain-delay={{ int .Values.drain.delay }}s
- --drain-timeout={{ int .Values.drain.timeout }}s
{{- with .Values.trustedProxies }}
- --trusted-proxies={{ join "," . }}
{{- end }}
- --proxy-protocol={{ .Values.proxyProtocol }}
{{- with .Values.redis.url }}
- --redis={{ . }}
- --redis-timeout={{ $.Values.redis.timeout }}
{{- end }}
- --access-log={{ .Values.logs.access.format }}
- --log-format={{ .Values.logs.general.format }}
- --log-level={{ .Values.logs.general.level }}
- --max-connections={{ int64 .Values.limits.maxConnections }}
- --max-requests={{ int64 .Values.limits.maxRequests }}
- --max-connections-per-client={{ int64 .Values.limits.maxConnectionsPerClient }}
- --max-header-bytes={{ int64 .Values.limits.maxHeaderBytes }}
- --max-headers={{ int64 .Values.limits.maxHeaders }}
- --max-uri-bytes={{ int64 .Values.limits.maxUriBytes }}
- --max-body-bytes={{ int64 .Values.limits.maxBodyBytes }}
{{- with .Values.limits.tlsHandshakeTimeout }}
- --tls-handshake-timeout={{ . }}
{{- end }}
{{- with .Values.limits.headTimeout }}
- --head-timeout={{ . }}
{{- end }}
{{- with .Values.limits.bodyTimeout }}
- --body-timeout={{ . }}
{{- end }}
- --min-body-rate={{ int64 .Values.limits.minBodyRate }}
{{- with .Values.limits.idleTimeout }}
- --idle-timeout={{ . }}
{{- end }}
{{- with .Values.limits.writeTimeout }}
- --write-timeout={{ . }}
{{- end }}
{{- with .Values.limits.streamIdleTimeout }}
- --stream-idle-timeout={{ . }}
{{- end }}
{{- with .Values.limits.tunnelIdleTimeout }}
- --tunnel-idle-timeout={{ . }}
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Contradictions between values. The schema looks at one value at a time; this looks at several. */}}
{{- define "paifang.validate" -}}
{{- if and .Values.watchNamespaces (ne .Values.rbac.scope "namespace") }}
{{- fail "values: watchNamespaces is set but rbac.scope is \"cluster\". Set rbac.scope=namespace, or empty watchNamespaces to watch all namespaces." }}
{{- end }}
{{- if and .Values.tls.clusterWide (eq .Values.rbac.scope "namespace") }}
{{- fail "values: tls.clusterWide needs a ClusterRole, which rbac.scope=namespace rules out. List the namespaces in tls.namespaces instead." }}
{{- end }}
{{- if and .Values.tls.clusterWide .Values.tls.namespaces }}
{{- fail "values: tls.clusterWide and tls.namespaces exclude each other. Set one of them." }}
{{- end }}
{{- range $key := list "defaultCertificate" "ticketKeys" }}
{{- with get $.Values.tls $key }}
{{- $namespace := include "paifang.secretRef" (list $ .) | splitList "/" | first }}
{{- $readable := include "paifang.tlsNamespaces" $ | splitList "," }}
{{- if not (or $.Values.tls.clusterWide (has $namespace $readable)) }}
{{- fail (printf "values: tls.%s names the namespace %q, which is not readable (%s). Add it to tls.namespaces." $key $namespace (join ", " $readable)) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (eq .Values.proxyProtocol "required") (not .Values.trustedProxies) }}
{{- fail "values: proxyProtocol is \"required\", but no proxy is trusted: every connection would be closed. Name the load balancers in trustedProxies." }}
{{- end }}
{{- if and .Values.redis.existingSecret (not .Values.redis.url) }}
{{- fail "values: redis.existingSecret has the password of no Redis. Set redis.url as well." }}
{{- end }}
{{- if and .Values.autoscaling.enabled (ne .Values.kind "Deployment") }}
{{- fail "values: autoscaling.enabled scales a Deployment, but kind is \"DaemonSet\". Switch one of them." }}
{{- end }}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- fail (printf "values: autoscaling.minReplicas (%d) is above autoscaling.maxReplicas (%d)." (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.metrics.service.enabled) }}
{{- fail "values: metrics.serviceMonitor.enabled needs metrics.service.enabled. Switch it on, or use metrics.podMonitor." }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled }}
{{- fail "values: metrics.serviceMonitor and metrics.podMonitor are both enabled, every sample would count twice. Switch one off." }}
{{- end }}
{{- $ports := list (int .Values.ports.http.port) (int .Values.ports.https.port) (int .Values.ports.admin.port) }}
{{- if lt (len (uniq $ports)) 3 }}
{{- fail (printf "values: ports.http.port, ports.https.port and ports.admin.port must differ, got %s." (join ", " $ports)) }}
{{- end }}
{{- if and .Values.service.enabled (not (or .Values.ports.http.expose .Values.ports.https.expose)) }}
{{- fail "values: service.enabled needs a port, but neither ports.http.expose nor ports.https.expose is true. Set service.enabled=false for no Service." }}
{{- end }}
{{- end }}
