{{/* Rules and bindings. Every right that the process has is in this file and in rbac.yaml. */}}

{{/* What is read and written in each watched namespace, or in all. */}}
{{- define "paifang.rules.watched" -}}
- apiGroups: [paifang.dev]
  resources: [gatewayroutes]
  verbs: [get, list, watch]
- apiGroups: [paifang.dev]
  resources: [gatewayroutes/status]
  verbs: [patch, update]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
{{- if or .Values.podWeights.enabled .Values.podRegistrations.enabled }}
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
{{- end }}
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [get, list, watch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses/status]
  verbs: [patch, update]
- apiGroups: [gateway.networking.k8s.io]
  resources: [referencegrants]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{/* What exists only once per cluster. */}}
{{- define "paifang.rules.cluster" -}}
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get, list, watch]
- apiGroups: [networking.k8s.io]
  resources: [ingressclasses]
  verbs: [get, list, watch]
{{- end }}

{{- define "paifang.rules.secrets" -}}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, list, watch]
{{- end }}

{{/* The Lease that elects the status writer. RBAC cannot tie `create` to a name. */}}
{{- define "paifang.rules.lease" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "paifang.fullname" . }}]
  verbs: [get, patch, update]
{{- end }}

{{/* One Service by its name, for its addresses: (list $ "name"). */}}
{{- define "paifang.rules.publishService" -}}
- apiGroups: [""]
  resources: [services]
  resourceNames: [{{ index . 1 }}]
  verbs: [get, list, watch]
{{- end }}

{{/* A role and its binding: (dict "root" $ "name" "..." "namespace" "..." "rules" "..."); no namespace, cluster-wide. */}}
{{- define "paifang.grant" -}}
{{- $prefix := ternary "" "Cluster" (ne .namespace "") }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $prefix }}Role
metadata:
  {{- include "paifang.metadata" (dict "root" .root "component" "rbac" "name" .name "namespace" .namespace) | nindent 2 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $prefix }}RoleBinding
metadata:
  {{- include "paifang.metadata" (dict "root" .root "component" "rbac" "name" .name "namespace" .namespace) | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $prefix }}Role
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "paifang.serviceAccountName" .root }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}
