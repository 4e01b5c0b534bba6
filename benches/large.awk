# Writes many Services as a cluster has them: each with ten endpoints and five routes.

BEGIN {
  for (s = 0; s < services; s++) {
    name = sprintf("shop-%04d", s)
    printf "---\napiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {ports: [{name: http, port: 80}]}\n", name
    printf "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
    printf "metadata: {name: %s, labels: {kubernetes.io/service-name: %s}}\n", name, name
    printf "addressType: IPv4\nports: [{name: http, port: 8080}]\nendpoints:\n"
    for (e = 0; e < 10; e++) {
      printf "- addresses: [10.%d.%d.%d]\n  conditions: {ready: true, serving: true, terminating: false}\n", e, int(s / 250), s % 250 + 1
      printf "  nodeName: node-%d\n  targetRef: {kind: Pod, name: %s-5d8f7c9b6d-%05d, namespace: default, ", e, name, e
      printf "uid: 7b1e4c52-0000-4000-8%03d-%012d}\n", e, s
    }
    for (r = 0; r < 5; r++) {
      printf "---\napiVersion: paifang.dev/v1alpha1\nkind: GatewayRoute\nmetadata: {name: %s-%d}\n", name, r
      printf "spec:\n  hostnames: [%s.example.com]\n  rules:\n", name
      printf "  - matches: [{path: {value: /area-%d}}]\n    backends: [{service: %s, port: http}]\n", r, name
    }
  }
}
