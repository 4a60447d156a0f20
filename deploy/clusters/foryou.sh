#!/usr/bin/env bash
# Runs a foryou command on the head, with the settings and secrets of the cluster: foryou.sh deploy
set -euo pipefail
. "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/node_environment.sh"
if [ "${SERVICES_ON_HEAD:-0}" = 1 ]; then
  head="${HEAD_IP:-$(hostname -I | cut -d' ' -f1)}"
  export FORYOU_SERVICES__NATS_URL="nats://${NATS_TOKEN:?}@$head:${NATS_PORT:-4222}"
  export FORYOU_SERVICES__STORE_URL="redis://:${STORE_PASSWORD:?}@$head:${STORE_PORT:-6379}/0"
fi
: "${FORYOU_SERVICES__NATS_URL:?the broker's URL}" "${FORYOU_SERVICES__STORE_URL:?the store's URL}"
export FORYOU_HTTP__HOST="${FORYOU_HTTP__HOST:-0.0.0.0}"
# Parts ask for the kinds of node that the cluster files have; two replicas, so that one serves while the other is
# replaced.
export FORYOU_PLACEMENT__WORKER="${FORYOU_PLACEMENT__WORKER:-head}"
export FORYOU_PLACEMENT__LEARNER="${FORYOU_PLACEMENT__LEARNER:-learner}"
export FORYOU_PLACEMENT__SHARD="${FORYOU_PLACEMENT__SHARD:-shard}"
export FORYOU_PLACEMENT__SERVING="${FORYOU_PLACEMENT__SERVING:-serving}"
export FORYOU_HTTP__REPLICAS="${FORYOU_HTTP__REPLICAS:-2}"
export RAY_ADDRESS="${RAY_ADDRESS:-127.0.0.1:$RAY_PORT}"
exec "$BIN/foryou" "$@"
