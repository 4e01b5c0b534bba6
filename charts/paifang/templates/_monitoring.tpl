{{/* What the monitors have in common: one scrape endpoint, (list $ $monitor "port"). */}}
{{- define "paifang.scrape" -}}
{{- $root := index . 0 }}{{- $monitor := index . 1 -}}
- port: {{ index . 2 }}
  path: /metrics
  honorLabels: {{ $monitor.honorLabels }}
  {{- with $monitor.interval }}
  interval: {{ . }}
  {{- end }}
  {{- with $monitor.scrapeTimeout }}
  scrapeTimeout: {{ . }}
  {{- end }}
  relabelings:
    # One job name whichever monitor scrapes: alerts and dashboards select by it.
    - targetLabel: job
      replacement: {{ include "paifang.fullname" $root }}
    {{- with $monitor.relabelings }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $monitor.metricRelabelings }}
  metricRelabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
