{{/* The name that the names of all objects start with: the release's, if it says "portcullis". With the
longest of what follows, `-webhook-replicas`, it has the 63 characters that a Service's name may have. */}}
{{- define "portcullis.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 46 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 46 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 46 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What Services and Deployments select Pods by. Takes a list: the context and the component. */}}
{{- define "portcullis.selectorLabels" -}}
{{- $context := index . 0 -}}
app.kubernetes.io/name: {{ default $context.Chart.Name $context.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ $context.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* The labels of every object. */}}
{{- define "portcullis.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: portcullis
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "portcullis.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Namespaces that are never judged, with commas between them; always with the release's own. */}}
{{- define "portcullis.exemptNamespaces" -}}
{{- append .Values.exemptNamespaces .Release.Namespace | uniq | join "," -}}
{{- end -}}

{{/* The ports of hosts that may be asked; without a port, those of http and https. */}}
{{- define "portcullis.hostPorts" -}}
{{- $ports := list -}}
{{- range . -}}
{{- $port := regexFind ":[0-9]+$" . | trimPrefix ":" -}}
{{- $ports = concat $ports (ternary (list $port) (list "80" "443") (ne $port "")) -}}
{{- end -}}
{{- $ports | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* The environment of both programs. */}}
{{- define "portcullis.environment" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: PORTCULLIS_NAME
  value: {{ include "portcullis.fullname" . | quote }}
- name: PORTCULLIS_EXEMPT_NAMESPACES
  value: {{ include "portcullis.exemptNamespaces" . | quote }}
{{- with .Values.allowHosts }}
- name: PORTCULLIS_ALLOW_HOSTS
  value: {{ join "," . | quote }}
{{- end }}
{{- if .Values.dataFrom.http.policies }}
- name: PORTCULLIS_NAMESPACED_HTTP_DATA
  value: "true"
{{- end }}
- name: PORTCULLIS_MAX_TIMEOUT
  value: {{ .Values.limits.timeout | quote }}
- name: PORTCULLIS_MAX_MEMORY
  value: {{ .Values.limits.memory | quote }}
- name: PORTCULLIS_MAX_SOURCE
  value: {{ .Values.limits.source | quote }}
- name: PORTCULLIS_MAX_RULES
  value: {{ .Values.limits.rules | quote }}
- name: PORTCULLIS_MAX_DATA
  value: {{ .Values.limits.data | quote }}
- name: PORTCULLIS_MAX_EXEMPTION
  value: {{ .Values.maxExemption | quote }}
- name: PORTCULLIS_MAX_NAMESPACE_POLICIES
  value: {{ .Values.maxNamespacePolicies | quote }}
- name: PORTCULLIS_LOG
  value: {{ .Values.log.filter | quote }}
- name: PORTCULLIS_LOG_FORMAT
  value: {{ .Values.log.format | quote }}
{{- end -}}

{{/* Where the keys of archives are. */}}
{{- define "portcullis.archiveEnvironment" -}}
{{- with .Values.archives.exportKeySecret }}
- name: PORTCULLIS_EXPORT_KEY
  value: /export-key/key.pem
{{- end }}
{{- with .Values.archives.importKeys }}
- name: PORTCULLIS_IMPORT_KEYS
  value: {{ include "portcullis.importKeys" . | quote }}
{{- end }}
{{- with .Values.archives.externalUrl }}
- name: PORTCULLIS_EXTERNAL_URL
  value: {{ . | quote }}
{{- end }}
{{- with .Values.archives.notifyHosts }}
- name: PORTCULLIS_NOTIFY_HOSTS
  value: {{ join "," . | quote }}
{{- end }}
{{- with .Values.archives.importHosts }}
- name: PORTCULLIS_IMPORT_HOSTS
  value: {{ join "," . | quote }}
{{- end }}
{{- if .Values.archives.caConfigMap }}
- name: PORTCULLIS_EXCHANGE_CA
  value: /exchange-ca/ca.crt
{{- end }}
{{- end -}}

{{/* Each file of keys behind what they may sign. */}}
{{- define "portcullis.importKeys" -}}
{{- $files := list -}}
{{- range $position, $signer := . -}}
{{- $files = append $files (printf "%s=/import-keys/%d" (join "," $signer.addresses) $position) -}}
{{- end -}}
{{- join ";" $files -}}
{{- end -}}

{{/* The keys, mounted: the one that signs is in a Secret, those that verify are no secret. */}}
{{- define "portcullis.archiveMounts" -}}
{{- if .Values.archives.exportKeySecret }}
- name: export-key
  mountPath: /export-key
  readOnly: true
{{- end }}
{{- if .Values.archives.importKeys }}
- name: import-keys
  mountPath: /import-keys
  readOnly: true
{{- end }}
{{- if .Values.archives.caConfigMap }}
- name: exchange-ca
  mountPath: /exchange-ca
  readOnly: true
{{- end }}
{{- end -}}

{{- define "portcullis.archiveVolumes" -}}
{{- with .Values.archives.exportKeySecret }}
# A Secret that is missing keeps no Pod from starting: admission needs none.
- name: export-key
  secret:
    secretName: {{ . | quote }}
    defaultMode: 0440
    optional: true
    items:
      - {key: {{ $.Values.archives.exportKeyEntry | quote }}, path: key.pem}
{{- end }}
{{- if .Values.archives.importKeys }}
- name: import-keys
  configMap:
    name: {{ include "portcullis.fullname" . }}-import-keys
{{- end }}
{{- with .Values.archives.caConfigMap }}
# Missing, it keeps no Pod from starting, either.
- name: exchange-ca
  configMap:
    name: {{ .name | quote }}
    optional: true
    items:
      - {key: {{ .key | quote }}, path: ca.crt}
{{- end }}
{{- end -}}

{{/* Every Pod of ours meets the "restricted" Pod security standard. */}}
{{- define "portcullis.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "portcullis.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Probes of both programs. A replica that is not ready gets no requests; only one that does not
answer at all is restarted. */}}
{{- define "portcullis.probes" -}}
readinessProbe:
  httpGet:
    path: /readyz
    port: admin
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet:
    path: /livez
    port: admin
  initialDelaySeconds: 5
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
{{- end -}}

{{/* Where Pods run. Takes a list: the context, the component, and the component's values. Spreading
is a wish: a cluster of one node runs all replicas. */}}
{{- define "portcullis.scheduling" -}}
{{- $values := index . 2 -}}
topologySpreadConstraints:
  {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "portcullis.selectorLabels" (list (index $ 0) (index $ 1)) | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* The rules with which a program reads policies and locks, and which namespaces there are. */}}
{{- define "portcullis.readerRules" -}}
- apiGroups: [portcullis.dev]
  resources: [policies, clusterpolicies, locks, clusterlocks, policybindings, clusterpolicybindings]
  verbs: [list, watch]
- apiGroups: [portcullis.dev]
  resources: [exemptions, clusterexemptions]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [list, watch]
{{- if .Values.allowHosts }}
# What was fetched for policies (`dataFrom.http`), which nobody else is let read: it may be the answer to
# a request with a credential.
- apiGroups: [portcullis.dev]
  resources: [fetcheddocuments]
  verbs: [list, watch]
{{- end }}
{{- range .Values.parameterKinds }}
# Objects that bindings may take parameters of.
- apiGroups: [{{ .apiGroup | quote }}]
  resources: {{ toJson .resources }}
  verbs: [list, watch]
{{- end }}
{{- end -}}

{{/* The environment of what answers the evaluation API: its paths, and who may ask. What does not fit together is
refused here, and not by a Pod that does not start. */}}
{{- define "portcullis.evaluationEnvironment" -}}
{{- $own := .Values.evaluation -}}
{{- if has "none" $own.auth -}}
{{- if gt (len $own.auth) 1 -}}
{{- fail "evaluation.auth: `none` stands alone" -}}
{{- end -}}
{{- if not $own.allowAnonymous -}}
{{- fail "evaluation.auth: [none] lets every Pod ask: set evaluation.allowAnonymous=true as well, or choose token, jwt or mtls" -}}
{{- end -}}
{{- end -}}
- name: PORTCULLIS_AUTH
  value: {{ join "," $own.auth | quote }}
{{- if $own.allowAnonymous }}
- name: PORTCULLIS_ALLOW_ANONYMOUS
  value: "true"
{{- end }}
{{- with $own.tokenAudiences }}
- name: PORTCULLIS_AUTH_TOKEN_AUDIENCES
  value: {{ join "," . | quote }}
{{- end }}
{{- if has "jwt" $own.auth }}
{{- if not (and $own.jwt.issuer $own.jwt.audiences (or $own.jwt.keysUrl $own.jwt.keysSecret)) -}}
{{- fail "evaluation.auth: jwt needs evaluation.jwt.issuer, evaluation.jwt.audiences, and evaluation.jwt.keysUrl or evaluation.jwt.keysSecret" -}}
{{- end }}
- name: PORTCULLIS_JWT_KEYS
  value: {{ ternary $own.jwt.keysUrl "/jwt/jwks.json" (ne $own.jwt.keysUrl "") | quote }}
{{- if and $own.jwt.keysUrl $own.jwt.caSecret }}
- name: PORTCULLIS_JWT_KEYS_CA
  value: /jwt-ca/ca.crt
{{- end }}
- name: PORTCULLIS_JWT_ISSUER
  value: {{ $own.jwt.issuer | quote }}
- name: PORTCULLIS_JWT_AUDIENCES
  value: {{ join "," $own.jwt.audiences | quote }}
- name: PORTCULLIS_JWT_ALGORITHMS
  value: {{ join "," $own.jwt.algorithms | quote }}
- name: PORTCULLIS_JWT_NAME_CLAIM
  value: {{ $own.jwt.nameClaim | quote }}
- name: PORTCULLIS_JWT_GROUPS_CLAIM
  value: {{ $own.jwt.groupsClaim | quote }}
{{- end }}
{{- if has "mtls" $own.auth }}
- name: PORTCULLIS_MTLS_CA
  value: /clients/ca.crt
{{- with $own.mtls.names }}
- name: PORTCULLIS_MTLS_NAMES
  value: {{ join "," . | quote }}
{{- end }}
{{- end }}
- name: PORTCULLIS_REPOSITORY
  value: {{ $own.repository | quote }}
- name: PORTCULLIS_DEFAULT_DECISION
  value: {{ $own.defaultDecision | quote }}
{{- with $own.authorization }}
- name: PORTCULLIS_AUTHORIZATION
  value: {{ . | quote }}
{{- end }}
{{- if $own.rateLimit }}
- name: PORTCULLIS_RATE_LIMIT
  value: {{ $own.rateLimit | int | quote }}
{{- if $own.rateBurst }}
- name: PORTCULLIS_RATE_BURST
  value: {{ $own.rateBurst | int | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The Secrets that this reads, as a list of objects: the volume's name, the Secret's, and the key. */}}
{{- define "portcullis.evaluationSecrets" -}}
{{- $own := .Values.evaluation -}}
{{- $secrets := list -}}
{{- if has "jwt" $own.auth -}}
{{- if not $own.jwt.keysUrl -}}
{{- $secrets = append $secrets (dict "volume" "jwt" "secret" $own.jwt.keysSecret "key" "jwks.json") -}}
{{- else if $own.jwt.caSecret -}}
{{- $secrets = append $secrets (dict "volume" "jwt-ca" "secret" $own.jwt.caSecret "key" "ca.crt") -}}
{{- end -}}
{{- end -}}
{{- if has "mtls" $own.auth -}}
{{- $secret := required "evaluation.auth: mtls needs evaluation.mtls.caSecret" $own.mtls.caSecret -}}
{{- $secrets = append $secrets (dict "volume" "clients" "secret" $secret "key" "ca.crt") -}}
{{- end -}}
{{- $secrets | toJson -}}
{{- end -}}

{{/* The port of the issuer's keys; empty where they are not at a URL. */}}
{{- define "portcullis.jwtPort" -}}
{{- if and (has "jwt" .Values.evaluation.auth) .Values.evaluation.jwt.keysUrl -}}
{{- $host := (urlParse .Values.evaluation.jwt.keysUrl).host -}}
{{- regexFind ":[0-9]+$" $host | trimPrefix ":" | default "443" -}}
{{- end -}}
{{- end -}}
