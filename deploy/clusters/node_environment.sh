# Sourced by every script of a node: what all processes of a cluster must agree on.
# The operator's own values come first, from a folder that is mounted to each node and never part of the repository.

CLUSTER_SECRETS="${CLUSTER_SECRETS:-$HOME/.config/foryou}"
if [ -f "$CLUSTER_SECRETS/environment" ]; then
  set -a
  # shellcheck source=/dev/null
  . "$CLUSTER_SECRETS/environment"
  set +a
fi

# Ray's ports listen on every interface: whoever speaks to them must hold the token.
export RAY_AUTH_MODE=token
if [ -f "$CLUSTER_SECRETS/auth_token" ]; then export RAY_AUTH_TOKEN_PATH="$CLUSTER_SECRETS/auth_token"; fi

# Serve reads these when it is imported, in controller, proxy and replicas: the same on every node.
export RAY_SERVE_ENABLE_HA_PROXY=1
export RAY_SERVE_THROUGHPUT_OPTIMIZED=1
export RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S="${RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S:-30}"

# At Ray's 15 whatever else runs on a node takes the cores from replicas and learners.
export RAY_worker_niceness="${RAY_worker_niceness:-0}"

# A mini-batch's dense weights travel inside the call, not by way of the object store.
export RAY_max_direct_call_object_size="${RAY_max_direct_call_object_size:-1048576}"

# The package is installed on the nodes; nothing is shipped with a job.
export RAY_ENABLE_UV_RUN_RUNTIME_ENV=0
export OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}"

# Not 6379: that is the store's own port.
RAY_PORT="${RAY_PORT:-6390}"
OBJECT_MANAGER_PORT="${OBJECT_MANAGER_PORT:-8076}"
RAY="${RAY:-$(command -v ray || echo "$HOME/foryou/.venv/bin/ray")}"
BIN="$(dirname "$RAY")"
