#!/bin/sh
# Copies BullMQ's Lua scripts, which the program embeds, from its npm package as
# pinned in internal/queue/bullmq/npm. Does nothing where they are there.
set -eu

cd "$(dirname "$0")/.."
PATH="$PWD/.tools/bin:$PATH"
FROM=internal/queue/bullmq/npm
TO=internal/queue/bullmq/lua
WORK=.tools/bullmq

cmp -s "$FROM/package-lock.json" "$TO/package-lock.json" && exit 0
echo "setup: taking BullMQ's Lua scripts from its npm package: queues on Redis need them"
mkdir -p "$WORK"
cp "$FROM/package.json" "$FROM/package-lock.json" "$FROM/.npmrc" "$WORK/"
(cd "$WORK" && npm ci --silent --ignore-scripts)
mkdir -p "$TO/includes"
cp "$WORK"/node_modules/bullmq/dist/cjs/commands/*.lua "$TO/"
cp "$WORK"/node_modules/bullmq/dist/cjs/commands/includes/*.lua "$TO/includes/"
cp "$WORK/node_modules/bullmq/LICENSE" "$TO/LICENSE"
cp "$FROM/package-lock.json" "$TO/package-lock.json"
