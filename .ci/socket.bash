# A WebSocket client in bash, to be sourced. Needs $scratch, and $herald, the process whose end ends all waiting.

# start_herald COMMAND…: starts herald-local with `--json` in the background; sets $herald and $endpoint.
start_herald() {
  "$@" --port 0 --json >"$scratch/ready" 2>"$scratch/log" &
  herald=$!
  wait_for "the line of JSON" 900 test -s "$scratch/ready" || { cat "$scratch/log"; return 1; }
  endpoint=$(sed -E 's/.*"endpoint":"([^"]+)".*/\1/' "$scratch/ready")
  echo "ready at $endpoint"
}

# open_socket: connects to the stage of $endpoint; sets $socket, and $reader, the process that ends when the server closes.
open_socket() {
  local address=${endpoint#http://}
  exec {socket}<>"/dev/tcp/${address%:*}/${address#*:}"
  printf 'GET /dev HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' "$address" >&"$socket"
  printf 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n' >&"$socket"
  cat <&"$socket" >"$scratch/received" &
  reader=$!
  wait_for "the upgrade" 600 received "101 Switching Protocols"
}

# send_text FRAME: sends at most 125 bytes. A client's frame must be masked; a mask of zeros leaves the text readable.
send_text() {
  printf "\x81\x$(printf %02x $((0x80 + ${#1})))\0\0\0\0%s" "$1" >&"$socket"
}

received() {
  grep -qaF -- "$1" "$scratch/received"
}

# put_events FILE: puts the entries of a file in events/ on the bus of $endpoint.
put_events() {
  curl -fsS "$endpoint" -H 'X-Amz-Target: AWSEvents.PutEvents' -H 'Content-Type: application/x-amz-json-1.1' \
    --data "{\"Entries\":$(cat "$1")}"
  echo
}

# wait_for WHAT SECONDS COMMAND…: repeats the command until it succeeds.
wait_for() {
  local what=$1 end=$((SECONDS + $2))
  shift 2
  until "$@"; do
    if ((SECONDS >= end)) || ! kill -0 "$herald" 2>/dev/null; then
      echo "$what did not arrive"
      return 1
    fi
    sleep 0.1
  done
}
