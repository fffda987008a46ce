#!/usr/bin/env bash
# Tells of a push as GitHub does, signed, to try the function `github` without GitHub. It answers with what became of it.
#
#   NOTEBURST_BASE_URL=http://127.0.0.1:8090/noteburst WEBHOOK_SECRET=… ./webhook.sh OWNER/NAME COMMIT [BRANCH]
set -euo pipefail

body=$(printf '{"ref":"refs/heads/%s","after":"%s","deleted":false,"installation":{"id":1},"repository":{"full_name":"%s","default_branch":"main","pushed_at":%s}}' \
  "${3:-main}" "$2" "$1" "$(date +%s)")
# Arguments of programs can be read by everybody on the machine, their environment cannot.
sign='import hashlib, hmac, os, sys; print(hmac.new(os.environb[b"WEBHOOK_SECRET"], sys.stdin.buffer.read(), hashlib.sha256).hexdigest())'
signature=$(printf %s "$body" | python3 -c "$sign")

curl --silent --show-error --fail-with-body "$NOTEBURST_BASE_URL/github/webhook" \
  --header 'Content-Type: application/json' --header 'X-GitHub-Event: push' \
  --header "X-GitHub-Delivery: $(openssl rand -hex 16)" --header "X-Hub-Signature-256: sha256=$signature" --data-binary "$body"
