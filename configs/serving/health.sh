#!/usr/bin/env bash
# health.sh MODEL [HOST [PORT]]: exit code 0 where the server has a version of MODEL available.
# The official image ships no curl: bash itself opens the connection. The server answers 200 while
# a version still loads, so that only the state counts.
exec 3<>"/dev/tcp/${2:-127.0.0.1}/${3:-8501}" || exit 1
printf 'GET /v1/models/%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" >&3
grep -q '"state": *"AVAILABLE"' <&3
