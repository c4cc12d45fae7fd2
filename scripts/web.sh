#!/bin/sh
# Builds the pages that the program embeds, the dashboard and the viewer, from
# web/src. Does nothing, quickly, where their sources are those of the last build.
# With the argument lint it checks them, and the client for TypeScript.
set -eu

cd "$(dirname "$0")/../web"
PATH="$PWD/../.tools/bin:$PATH"
TYPES=../clients/typescript/src/openapi.gen.ts

# The copy of the lock file tells of an installation that was finished.
if ! cmp -s package-lock.json node_modules/.installed; then
	echo "setup: installing what the web pages are made of: three, Preact, Vite and others"
	npm ci --silent --ignore-scripts
	cp package-lock.json node_modules/.installed
fi

if [ "${1:-build}" = lint ]; then
	npm run --silent check
	npm run --silent lint
	exit 0
fi

sum() { find src package-lock.json ./*.html ./*.ts tsconfig.json "$TYPES" -type f -exec cksum {} + | sort -k 3 | cksum; }
SOURCES=$(sum)
[ "$(cat dist/.sources 2>/dev/null)" = "$SOURCES" ] && exit 0
echo "setup: building the web pages"
rm -f dist/.sources
npm run --silent build
echo "$SOURCES" >dist/.sources
