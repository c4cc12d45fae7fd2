#!/bin/sh
# Builds the pages that the program embeds, the dashboard and the viewer, from
# web/src. Does nothing, quickly, where their sources are those of the last build.
set -eu

cd "$(dirname "$0")/../web"
PATH="$PWD/../.tools/bin:$PATH"

if ! cmp -s package-lock.json node_modules/.installed; then
	echo "setup: installing what the web pages are made of: three, Preact, Vite and others"
	npm ci --silent --ignore-scripts
	cp package-lock.json node_modules/.installed
fi

sum() { find src package-lock.json ./*.html ./*.ts tsconfig.json -type f -exec cksum {} + | sort -k 3 | cksum; }
SOURCES=$(sum)
[ "$(cat dist/site/.sources 2>/dev/null)" = "$SOURCES" ] && exit 0
echo "setup: building the web pages"
npm run --silent build
echo "$SOURCES" >dist/site/.sources
