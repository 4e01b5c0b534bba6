{{/* The pod template that the Deployment and the DaemonSet share. */}}

{{- define "paifang.podTemplate" -}}
metadata:
  labels:
    {{- include "paifang.podLabels" . | nindent 4 }}
  {{- with .Values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "paifang.serviceAccountName" . }}
  automountServiceAccountToken: true
  enableServiceLinks: false
  {{- with include "paifang.pullSecrets" . }}
  {{- . | nindent 2 }}
  {{- end }}
  terminationGracePeriodSeconds: {{ add .Values.drain.delay .Values.drain.timeout 5 }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- if .Values.hostNetwork }}
  hostNetwork: true
  {{- end }}
  dnsPolicy: {{ .Values.dnsPolicy | default (ternary "ClusterFirstWithHostNet" "ClusterFirst" .Values.hostNetwork) }}
  {{- with .Values.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.extraInitContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: paifang
      {{- include "paifang.container" . | nindent 6 }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    - name: tmp
      emptyDir:
        medium: Memory
        sizeLimit: 16Mi
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with include "paifang.topologySpread" . }}
  topologySpreadConstraints:
    {{- trim . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "paifang.container" -}}
image: {{ include "paifang.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  {{- include "paifang.args" . | nindent 2 }}
env:
  - name: PAIFANG_POD_NAME
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  - name: PAIFANG_POD_NAMESPACE
    valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
  - name: PAIFANG_SERVICE_ACCOUNT
    valueFrom: {fieldRef: {fieldPath: spec.serviceAccountName}}
  {{- with .Values.redis.existingSecret }}
  - name: PAIFANG_REDIS_PASSWORD
    valueFrom: {secretKeyRef: {name: {{ . }}, key: password}}
  {{- end }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  {{- range $name := list "http" "https" }}
  {{- $port := get $.Values.ports $name }}
  - name: {{ $name }}
    containerPort: {{ int $port.port }}
    {{- if $port.hostPort }}
    hostPort: {{ int $port.hostPort }}
    {{- end }}
    protocol: TCP
  {{- end }}
  - name: admin
    containerPort: {{ int .Values.ports.admin.port }}
    protocol: TCP
startupProbe:
  httpGet: {path: /startupz, port: admin}
  {{- toYaml .Values.startupProbe | nindent 2 }}
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  {{- toYaml .Values.readinessProbe | nindent 2 }}
livenessProbe:
  httpGet: {path: /livez, port: admin}
  {{- toYaml .Values.livenessProbe | nindent 2 }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Zones before nodes. Pods of one rollout are counted apart, or old ones would steer new ones. */}}
{{- define "paifang.topologySpread" -}}
{{- if .Values.topologySpreadConstraints }}
{{- toYaml .Values.topologySpreadConstraints }}
{{- else if and .Values.topologySpread.enabled (include "paifang.severalReplicas" .) }}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- topologyKey: {{ $key }}
  maxSkew: 1
  whenUnsatisfiable: {{ $.Values.topologySpread.whenUnsatisfiable }}
  matchLabelKeys: [pod-template-hash]
  labelSelector:
    matchLabels:
      {{- include "paifang.selectorLabels" $ | nindent 6 }}
{{- end }}
{{- end }}
{{- end }}
