#!/bin/sh
# After a package is installed or upgraded. A new installation is neither enabled nor
# started: its environment is to be filled in first. An upgrade restarts what runs,
# which drains: running jobs end, or go back to the queue and are begun anew.
set -e
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
case ${1:-} in
configure | [2-9]*) systemctl try-restart --no-block slate360-worker.service ;;
esac
if ! systemctl --quiet is-enabled slate360-worker.service 2>/dev/null; then
	echo 'slate360-worker: fill in /etc/slate360-worker.env, then: systemctl enable --now slate360-worker'
fi
