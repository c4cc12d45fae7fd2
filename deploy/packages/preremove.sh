#!/bin/sh
# Before a package is removed (deb: remove, rpm: 0), and not before an upgrade.
set -e
case ${1:-} in
remove | 0)
	[ -d /run/systemd/system ] || exit 0
	systemctl disable --now slate360-worker.service
	;;
esac
