{{/* Names, labels and images. What the process is told lives in _settings.tpl. */}}

{{- define "paifang.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 50 characters, so that every suffix of ours fits into 63. */}}
{{- define "paifang.fullname" -}}
{{- $name := include "paifang.name" . }}
{{- $default := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $default .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* Cluster-scoped names carry the namespace, so that equal releases in two namespaces do not meet. */}}
{{- define "paifang.clusterName" -}}
{{- $fullname := include "paifang.fullname" . }}
{{- if eq $fullname .Release.Namespace }}{{ $fullname }}{{ else }}{{ printf "%s-%s" .Release.Namespace $fullname | trunc 100 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "paifang.selectorLabels" -}}
app.kubernetes.io/name: {{ include "paifang.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Another name than the gateway's, so that no Service or budget selects the test pod. */}}
{{- define "paifang.testSelectorLabels" -}}
app.kubernetes.io/name: {{ include "paifang.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "paifang.versionLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: paifang
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* `metadata:` of one object: (dict "root" $ "component" "..."), and as wanted "name", "namespace"
(empty: cluster-scoped), "labels" and "annotations". What the chart sets wins over common values. */}}
{{- define "paifang.metadata" -}}
{{- $root := .root }}
{{- $labels := merge (fromYaml (include "paifang.selectorLabels" $root)) (fromYaml (include "paifang.versionLabels" $root)) }}
{{- $labels = merge $labels (dict "app.kubernetes.io/component" .component) (.labels | default dict) $root.Values.commonLabels }}
{{- $annotations := merge dict (.annotations | default dict) $root.Values.commonAnnotations -}}
name: {{ .name | default (include "paifang.fullname" $root) }}
{{- with ternary .namespace $root.Release.Namespace (hasKey . "namespace") }}
namespace: {{ . }}
{{- end }}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Labels of the pods. Neither chart nor its version: a new chart alone must not restart them. */}}
{{- define "paifang.podLabels" -}}
{{- $labels := fromYaml (include "paifang.selectorLabels" .) }}
{{- $own := dict "app.kubernetes.io/component" "gateway" "app.kubernetes.io/part-of" "paifang" "app.kubernetes.io/version" .Chart.AppVersion }}
{{- toYaml (merge $labels $own .Values.podLabels .Values.commonLabels) }}
{{- end }}

{{- define "paifang.image" -}}
{{- $registry := .Values.global.image.registry | default .Values.image.registry }}
{{- if $registry }}{{ $registry }}/{{ end }}{{ .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "paifang.pullSecrets" -}}
{{- with concat .Values.imagePullSecrets .Values.global.imagePullSecrets | uniq -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "paifang.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "paifang.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{/* Non-empty where at least two pods of a Deployment can be expected. */}}
{{- define "paifang.severalReplicas" -}}
{{- if eq .Values.kind "Deployment" }}
{{- $least := ternary .Values.autoscaling.minReplicas .Values.replicaCount .Values.autoscaling.enabled }}
{{- if gt (int $least) 1 }}true{{ end }}
{{- end }}
{{- end }}

{{/* Non-empty where a pod occupies ports of its node, so that two cannot share one. */}}
{{- define "paifang.usesHostPorts" -}}
{{- if or .Values.hostNetwork .Values.ports.http.hostPort .Values.ports.https.hostPort }}true{{ end }}
{{- end }}
