#!/usr/bin/env bash
# Submits a notebook with curl, waits a moment for it, and cancels it when that was not enough.
#
#   NOTEBURST_BASE_URL=https://data.example.org/noteburst NOTEBURST_TOKEN=gt-… ./cancel.sh in.ipynb
set -euo pipefail

ask() { curl --silent --show-error --fail-with-body --header "Authorization: Bearer $NOTEBURST_TOKEN" "$@"; }

# The notebook as it is becomes the field `ipynb`. The answer comes when the job ends, or after 2 s.
headers=$(printf '{"ipynb": %s, "timeout": "10m"}' "$(cat "$1")" |
  ask "$NOTEBURST_BASE_URL/v1/notebooks/" --header 'Content-Type: application/json' --header 'Prefer: wait=2' \
    --data-binary @- --output job.json --dump-header -)
job_url=$(tr -d '\r' <<<"$headers" | sed -n 's/^[Ll]ocation: //p')

if grep -q '"status":"complete"' job.json; then
  ask "$job_url/ipynb" --output executed.ipynb
  echo 'executed.ipynb was written'
else
  ask --request DELETE "$job_url" --output job.json
  # What was done until then can be downloaded as soon as the job has ended.
  ask --header 'Prefer: wait=20' "$job_url?result=false" --output job.json
  grep -o '"phase":"[a-z]*"' job.json
fi
