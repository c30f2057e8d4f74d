#!/bin/sh
# A service as small as they come: it says the time until it is told to stop.
trap 'echo "bye"; exit 0' TERM INT
while :; do
    echo "$GREETING, it is $(date)"
    sleep 5 &
    wait $!
done
