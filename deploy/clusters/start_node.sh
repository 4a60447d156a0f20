#!/usr/bin/env bash
# Starts Ray on this node.
#   start_node.sh head             the head
#   start_node.sh worker ROLE...   a worker (RAY_HEAD_IP says where the head is); ROLE: learner, shard, serving
# Where the launcher knows the nodes' types (a cloud), it gives the resources itself and no ROLE is needed. On
# machines of one's own the roles stand here, or in /etc/foryou/roles of a machine that differs from the others.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$here/node_environment.sh"

kind="${1:?say head or worker}"
shift
roles_file="${ROLES_FILE:-/etc/foryou/roles}"
roles="$*"
if [ -f "$roles_file" ]; then roles="$(cat "$roles_file")"; fi

ulimit -n 65536 || echo "open files stay at $(ulimit -n)" >&2
arguments=(--object-manager-port="$OBJECT_MANAGER_PORT")
resources=""
for role in $roles; do resources="$resources${resources:+, }\"$role\": 1"; done
if [ -n "$resources" ]; then arguments+=(--resources="{$resources}"); fi

case "$kind" in
  head)
    if [ "${SERVICES_ON_HEAD:-0}" = 1 ]; then "$here/start_services.sh"; fi
    arguments+=(--head --port="$RAY_PORT" --dashboard-host=127.0.0.1)
    if [ -f "$HOME/ray_bootstrap_config.yaml" ]; then
      arguments+=(--autoscaling-config="$HOME/ray_bootstrap_config.yaml")
    fi
    # With its tables in a Redis or Valkey (RAY_REDIS_ADDRESS), a head that died comes back to the same cluster.
    if [ -n "${RAY_REDIS_ADDRESS:-}" ]; then
      export RAY_external_storage_namespace="${RAY_external_storage_namespace:-foryou}"
      arguments+=(--redis-password="${RAY_REDIS_PASSWORD:-}")
    else
      echo "RAY_REDIS_ADDRESS is not set: a head that dies takes the cluster's memory of its actors with it" >&2
    fi
    ;;
  worker)
    arguments+=(--address="${RAY_HEAD_IP:?where the head is}:$RAY_PORT")
    ;;
  *)
    echo "say head or worker, not $kind" >&2
    exit 2
    ;;
esac
exec "$RAY" start "${arguments[@]}"
