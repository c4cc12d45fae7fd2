#!/bin/sh
# Looks for known holes in the dependencies. Where the database cannot be reached,
# it says so and passes: a build must not depend on somebody else's server.
set -u
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if govulncheck ./... >"$log" 2>&1; then
	tail -n 1 "$log"
	exit 0
fi
if grep -qiE 'fetching vulnerabilities|dial tcp|no such host|connection refused|timeout|HTTP|Forbidden' "$log" && ! grep -q '^Vulnerability #' "$log"; then
	echo "govulncheck: the database of vulnerabilities could not be reached, nothing was checked: $(tail -n 1 "$log")"
	exit 0
fi
cat "$log"
exit 1
