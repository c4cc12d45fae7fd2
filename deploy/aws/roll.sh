#!/bin/sh
# Brings a new release to all machines of a deployment, and the old one back where the
# new one does not work:
#
#   roll.sh NAME RELEASE_PATH AMD64 ARM64 [CHECK...]
#
# NAME and RELEASE_PATH are those of the template; AMD64 and ARM64 say "ADDRESS SHA256"
# of the releases; CHECK is a command that shows that the deployment works, such as
# slate360-worker self-check --timeout 30m.
#
# The Auto Scaling group replaces its machines half at a time; a new one counts only
# when its worker takes jobs (its lifecycle hook), an old one drains first. Ends with
# 0 where the new release runs, 1 where the old one was brought back.
set -eu

usage='want NAME RELEASE_PATH "ADDRESS SHA256" "ADDRESS SHA256" [CHECK...]'
NAME=${1:?$usage} RELEASE_PATH=${2:?$usage} AMD64=${3:?$usage} ARM64=${4:?$usage}
shift 4
PAUSE=${ROLL_PAUSE:-15}

say() { printf '%s roll: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" >&2; }

for release in "$AMD64" "$ARM64"; do
	digest=${release##* }
	case $digest in *[!0-9a-f]*) digest= ;; esac
	[ ${#digest} = 64 ] || { say "want ADDRESS SHA256, got: $release"; exit 2; }
done

get() { aws ssm get-parameter --name "$RELEASE_PATH/$1" --query Parameter.Value --output text 2>/dev/null || true; }

put() { aws ssm put-parameter --overwrite --type String --name "$RELEASE_PATH/$1" --value "$2" --query Version --output text >/dev/null; }

# refresh replaces the machines of a group and waits for the end of it.
refresh() { # GROUP PREFERENCES
	id=$(aws autoscaling start-instance-refresh --auto-scaling-group-name "$1" --preferences "$2" --query InstanceRefreshId --output text) || return 1
	was=
	while :; do
		state=$(aws autoscaling describe-instance-refreshes --auto-scaling-group-name "$1" --instance-refresh-ids "$id" \
			--query 'InstanceRefreshes[0].[Status,PercentageComplete,StatusReason]' --output text) || state=unknown
		[ "$state" = "$was" ] || say "$1: $state"
		was=$state
		case $state in
		Successful*) return 0 ;;
		Failed* | Cancelled* | Rollback*) return 1 ;;
		esac
		sleep "$PAUSE"
	done
}

# Jobs that run on protected machines end first.
WORKERS='{"MinHealthyPercentage": 50, "InstanceWarmup": 0, "CheckpointPercentages": [50, 100], "CheckpointDelay": 60, "SkipMatching": false, "ScaleInProtectedInstances": "Wait"}'
CONTROLLER='{"MinHealthyPercentage": 0, "InstanceWarmup": 60, "SkipMatching": false}'

roll() { # AMD64 ARM64
	put linux_amd64 "$1"
	put linux_arm64 "$2"
	refresh "$NAME-controller" "$CONTROLLER" && refresh "$NAME" "$WORKERS"
}

OLD_AMD64=$(get linux_amd64)
OLD_ARM64=$(get linux_arm64)
say "from ${OLD_AMD64:-nothing} to $AMD64"
if roll "$AMD64" "$ARM64" && { [ $# = 0 ] || "$@"; }; then
	say "the new release runs"
	exit 0
fi
if [ -z "$OLD_AMD64" ] || [ -z "$OLD_ARM64" ]; then
	say "the new release does not work, and there is none before it"
	exit 1
fi
say "the new release does not work: back to $OLD_AMD64"
roll "$OLD_AMD64" "$OLD_ARM64" || say "the machines could not be replaced: see the activity of $NAME"
exit 1
