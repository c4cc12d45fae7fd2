#!/bin/sh
# After a package is removed. `apt purge` takes the data, too; they are of nobody's
# else: the user of the service is there only while it runs.
set -e
if [ "${1:-}" = purge ]; then
	rm -rf /var/lib/slate360-worker /var/lib/private/slate360-worker
fi
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
