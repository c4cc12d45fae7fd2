#!/bin/sh
# Makes an EC2 machine a worker (or the machine that sizes the group of workers):
# driver of the graphics card, program, environment, service, logs and metrics. It is
# the user data of the launch templates here, and can be run again at any time: what
# is in place stays, a new release or environment restarts the service.
#
#   worker-init.sh [--dry-run]
#
# Ubuntu 22.04 and 24.04, Debian 12 and 13, Amazon Linux 2023. Settings, from the
# environment:
#
#   INIT_ROLE            worker (default), or autoscale: runs `autoscale` instead of `run`
#   INIT_RELEASE_PATH    path in the SSM Parameter Store; the parameter linux_amd64 or
#                        linux_arm64 below it says "ADDRESS SHA256" of the release
#   INIT_RELEASE         the same, said here: an https:// or s3:// address of the
#                        program or of the .tar.gz that has it, a blank, its SHA-256
#   INIT_ENV_PATH        path in the SSM Parameter Store; each parameter below it is a
#                        variable of the worker, its last part being the name
#   INIT_ENV_SECRET      secret of Secrets Manager: JSON, {"VARIABLE": "value"}
#   INIT_ENV             more variables, NAME=value a line; they come first
#   INIT_LOG_GROUP       CloudWatch log group; none: the log stays in the journal
#   INIT_GROUP           Auto Scaling group of this machine, with INIT_HOOK
#   INIT_HOOK            lifecycle hook that holds the machine back until it is ready
#   INIT_DRAIN           what running jobs get to end when the service stops (10m)
#   INIT_ROOT            folder to install below instead of /, to try the script
set -eu

PROGRAM=slate360-worker
ROOT=${INIT_ROOT:-}
ENV_FILE=$ROOT/etc/$PROGRAM.env
DROP_IN=$ROOT/etc/systemd/system/$PROGRAM.service.d/init.conf
LOG_DIR=/var/log/$PROGRAM
AGENT=/opt/aws/amazon-cloudwatch-agent
ROLE=${INIT_ROLE:-worker}
DRAIN=${INIT_DRAIN:-10m}
STATE=$ROOT/var/lib/$PROGRAM-init
DRY=
export DEBIAN_FRONTEND=noninteractive

say() { printf '%s worker-init: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*" >&2; }

fail() {
	say "FAILED: $*"
	exit 1
}

# run runs a command that changes the machine, or says what it would run.
run() {
	if [ -n "$DRY" ]; then
		say "would run: $*"
	else
		"$@"
	fi
}

# retry runs a command until it succeeds, seven times at most, with longer and longer waits.
retry() {
	wait=${INIT_RETRY_WAIT:-2}
	for try in 1 2 3 4 5 6 7; do
		if "$@"; then
			return 0
		fi
		say "try $try of: $1 ${2:-} ${3:-} failed"
		[ "$try" = 7 ] || sleep "$wait"
		wait=$((wait * 2))
	done
	return 1
}

# put writes standard input to a file, all of it or nothing. Where that changes the
# file, the service is due for a restart, in a later run if not in this one.
put() { # MODE FILE
	if [ -n "$DRY" ]; then
		cat >/dev/null
		say "would write $2 with mode $1"
		return 0
	fi
	mkdir -p "$(dirname "$2")" "$STATE"
	(
		umask 077
		cat >"$2.new"
	)
	chmod "$1" "$2.new"
	if cmp -s "$2.new" "$2"; then
		rm -f "$2.new"
	else
		touch "$STATE/restart"
		mv "$2.new" "$2"
	fi
	chmod "$1" "$2"
}

metadata() { # PATH; version 2 only, which needs a token
	endpoint=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}
	token=$(curl -fsS -m 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$endpoint/latest/api/token") &&
		curl -fsS -m 5 -H "X-aws-ec2-metadata-token: $token" "$endpoint/latest/meta-data/$1"
}

# packages of the system.
packages() {
	case $FAMILY in
	debian)
		run retry apt-get -qq -o DPkg::Lock::Timeout=300 update
		run retry apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
		;;
	amazon) run retry dnf -q install -y "$@" ;;
	esac
}

find_system() {
	# shellcheck disable=SC1091 # a file of the machine
	. "$ROOT/etc/os-release"
	SYSTEM=$ID-$VERSION_ID
	case $SYSTEM in
	ubuntu-22.04 | ubuntu-24.04 | debian-12 | debian-13) FAMILY=debian ;;
	amzn-2023) FAMILY=amazon ;;
	*) fail "this is $SYSTEM: want ubuntu 22.04 or 24.04, debian 12 or 13, or amzn 2023" ;;
	esac
	case $(uname -m) in
	x86_64) ARCH=amd64 ;;
	aarch64) ARCH=arm64 ;;
	*) fail "there is no release for $(uname -m)" ;;
	esac
	say "$SYSTEM on $ARCH, role $ROLE"
}

install_tools() {
	missing=
	for tool in curl tar python3; do
		command -v $tool >/dev/null || missing="$missing $tool"
	done
	# shellcheck disable=SC2086 # several packages
	[ -z "$missing" ] || packages ca-certificates $missing
	command -v aws >/dev/null && return 0
	say "installing the AWS command line"
	case $SYSTEM in
	ubuntu-24.04) run retry snap install aws-cli --classic && PATH=$PATH:/snap/bin ;;
	*) packages awscli ;;
	esac
}

# install_driver installs NVIDIA's driver from the distribution's packages where there
# is a card of NVIDIA's (PCI vendor 10de) and no driver that answers. Images with a
# driver start minutes sooner.
install_driver() {
	grep -qsi '^0x10de' "$ROOT"/sys/bus/pci/devices/*/vendor || return 0
	if nvidia-smi -L >/dev/null 2>&1; then
		say "driver: $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | head -n 1)"
		return 0
	fi
	say "installing the NVIDIA driver"
	case $SYSTEM in
	ubuntu-*)
		packages ubuntu-drivers-common
		run retry ubuntu-drivers install --gpgpu
		# nvidia-smi comes in a package of its own, of the same version.
		series=$(dpkg-query -W -f '${Package}\n' 'nvidia-compute-utils-*' 2>/dev/null | sed 's/^nvidia-compute-utils-//' | tail -n 1)
		[ -z "$series" ] || packages "nvidia-utils-$series"
		;;
	debian-*)
		[ -n "$DRY" ] || sed -i 's/^Components: main$/Components: main contrib non-free non-free-firmware/' "$ROOT"/etc/apt/sources.list.d/*.sources
		packages "linux-headers-cloud-$ARCH" nvidia-driver nvidia-smi
		;;
	*) fail "install the driver of the graphics card first, or take an image that has it" ;;
	esac
	run modprobe nvidia
	run nvidia-smi -L
}

download() { # ADDRESS FILE
	case $1 in
	s3://*) aws s3 cp --only-show-errors "$1" "$2" ;;
	https://*) curl -fsSL --proto '=https' --proto-redir '=https' -o "$2" "$1" ;;
	*) fail "release: want an https:// or s3:// address, got $1" ;;
	esac
}

# install_program installs the release. Its digest is checked before anything of it runs.
install_program() {
	release=${INIT_RELEASE:-}
	if [ -z "$release" ]; then
		parameter=${INIT_RELEASE_PATH:?INIT_RELEASE or INIT_RELEASE_PATH is needed}/linux_$ARCH
		release=$(retry aws ssm get-parameter --name "$parameter" --query Parameter.Value --output text) ||
			fail "there is no parameter $parameter"
	fi
	address=${release% *}
	digest=${release##* }
	case $digest in
	*[!0-9a-f]*) fail "release: want ADDRESS SHA256, got: $release" ;;
	esac
	[ ${#digest} = 64 ] || fail "release: want ADDRESS SHA256, got: $release"
	say "program: $address"
	if [ -n "$DRY" ]; then
		say "would check its SHA-256, $digest, and install it as $ROOT/usr/local/bin/$PROGRAM"
		return 0
	fi
	note=$STATE/release
	if [ -x "$ROOT/usr/local/bin/$PROGRAM" ] && [ "$(cat "$note" 2>/dev/null)" = "$release" ]; then
		say "this release is installed"
		return 0
	fi
	temp=$(mktemp -d)
	retry download "$address" "$temp/release" || fail "cannot fetch $address"
	echo "$digest  $temp/release" | sha256sum -c --status || fail "$address does not have the SHA-256 $digest"
	case $address in
	*.tar.gz) tar -xzf "$temp/release" -C "$temp" --no-same-owner "$PROGRAM" ;;
	*) mv "$temp/release" "$temp/$PROGRAM" ;;
	esac
	chmod 755 "$temp/$PROGRAM"
	"$temp/$PROGRAM" version >&2 || fail "the program does not run here"
	put 755 "$ROOT/usr/local/bin/$PROGRAM" <"$temp/$PROGRAM"
	echo "$release" | put 600 "$note"
	rm -rf "$temp"
}

# variables prints the environment of the worker, of all that INIT_ENV… name, as
# systemd.exec(5) reads it.
variables() {
	parameters='[]'
	secret='{}'
	if [ -n "${INIT_ENV_PATH:-}" ]; then
		parameters=$(retry aws ssm get-parameters-by-path --path "$INIT_ENV_PATH" --recursive --with-decryption \
			--query 'Parameters[].{Name:Name,Value:Value}' --output json) || return 1
	fi
	if [ -n "${INIT_ENV_SECRET:-}" ]; then
		secret=$(retry aws secretsmanager get-secret-value --secret-id "$INIT_ENV_SECRET" --query SecretString --output text) || return 1
	fi
	# By standard input: what is on a command line, all users of the machine can read.
	printf '%s\0%s\0%s' "${INIT_ENV:-}" "$parameters" "$secret" | python3 -c '
import json, re, sys
first, parameters, secret = sys.stdin.read().split("\0")
values = dict(line.split("=", 1) for line in first.splitlines() if "=" in line)
values |= {p["Name"].rsplit("/", 1)[1]: p["Value"] for p in json.loads(parameters)}
values |= json.loads(secret)
for name, value in sorted(values.items()):
    value = str(value)
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
        sys.exit(f"worker-init: {name!r} is no name of a variable")
    if re.search("[\\x00-\\x1f]", value):
        sys.exit(f"worker-init: {name} has a line break or another control character")
    print(name + "=\"" + re.sub(r"([\"\\\\`$])", r"\\\1", value) + "\"")
'
}

write_environment() {
	if [ -n "$DRY" ]; then
		say "would write $ENV_FILE with mode 600, from ${INIT_ENV_PATH:-no parameters} and ${INIT_ENV_SECRET:-no secret}"
		return 0
	fi
	text=$(variables) || fail "the environment of the worker cannot be read"
	printf '%s\n' "$text" | put 600 "$ENV_FILE"
	say "environment: $(printf '%s\n' "$text" | grep -c =) variables"
}

# write_service installs the unit that the program itself writes, and what this
# machine has otherwise.
write_service() {
	{
		echo '[Service]'
		if [ -n "${INIT_LOG_GROUP:-}" ]; then
			echo "LogsDirectory=$PROGRAM"
			echo "StandardOutput=append:$LOG_DIR/worker.log"
			echo "StandardError=append:$LOG_DIR/worker.log"
		fi
		if [ "$ROLE" = autoscale ]; then
			printf 'Type=exec\nWatchdogSec=0\nExecStart=\nExecStart=/usr/local/bin/%s autoscale\n' $PROGRAM
		fi
	} | put 644 "$DROP_IN"
	run "$ROOT/usr/local/bin/$PROGRAM" install systemd --root "${ROOT:-/}" --drain "$DRAIN" >&2
}

# agent_config prints the configuration of the CloudWatch agent: the log, disk and
# memory, and of graphics cards what nvidia-smi tells.
agent_config() {
	gpu=
	[ "$ROLE" = worker ] && gpu=',
      "nvidia_gpu": {
        "measurement": ["utilization_gpu", "utilization_memory", "memory_used", "memory_total", "temperature_gpu", "power_draw"],
        "metrics_collection_interval": 60
      }'
	cat <<-END
		{
		  "agent": {"metrics_collection_interval": 60},
		  "metrics": {
		    "namespace": "Slate360/Host",
		    "append_dimensions": {"AutoScalingGroupName": "\${aws:AutoScalingGroupName}", "InstanceId": "\${aws:InstanceId}"},
		    "aggregation_dimensions": [["AutoScalingGroupName"]],
		    "metrics_collected": {
		      "disk": {"measurement": ["used_percent"], "resources": ["/"]},
		      "mem": {"measurement": ["used_percent"]}$gpu
		    }
		  },
		  "logs": {
		    "logs_collected": {
		      "files": {
		        "collect_list": [
		          {"file_path": "$LOG_DIR/worker.log", "log_group_name": "$INIT_LOG_GROUP", "log_stream_name": "{instance_id}"},
		          {"file_path": "/var/log/cloud-init-output.log", "log_group_name": "$INIT_LOG_GROUP", "log_stream_name": "{instance_id}-init"}
		        ]
		      }
		    }
		  }
		}
	END
}

start_agent() {
	[ -n "${INIT_LOG_GROUP:-}" ] || return 0
	if [ ! -x "$ROOT$AGENT/bin/amazon-cloudwatch-agent-ctl" ]; then
		say "installing the CloudWatch agent"
		case $SYSTEM in
		amzn-*) packages amazon-cloudwatch-agent ;;
		*)
			run retry download "https://amazoncloudwatch-agent.s3.amazonaws.com/${SYSTEM%%-*}/$ARCH/latest/amazon-cloudwatch-agent.deb" /tmp/agent.deb
			run retry apt-get -qq -o DPkg::Lock::Timeout=300 install -y /tmp/agent.deb
			;;
		esac
	fi
	agent_config | put 644 "$ROOT$AGENT/etc/$PROGRAM.json"
	printf '%s/*.log {\n\tdaily\n\tmaxsize 100M\n\trotate 3\n\tcompress\n\tcopytruncate\n\tmissingok\n}\n' "$LOG_DIR" |
		put 644 "$ROOT/etc/logrotate.d/$PROGRAM"
	run "$ROOT$AGENT/bin/amazon-cloudwatch-agent-ctl" -a fetch-config -m ec2 -s -c "file:$ROOT$AGENT/etc/$PROGRAM.json" >&2
}

start_service() {
	run systemctl daemon-reload
	run systemctl enable $PROGRAM
	if [ ! -e "$STATE/restart" ] && [ -z "$DRY" ] && systemctl is-active --quiet $PROGRAM; then
		say "nothing has changed: the service goes on"
		return 0
	fi
	# The unit is of Type=notify: this waits until the worker takes jobs.
	run systemctl restart $PROGRAM || fail "the service does not start; see: journalctl -u $PROGRAM"
	run rm -f "$STATE/restart"
	say "the service runs"
}

# tell ends the wait of the Auto Scaling group for this machine.
tell() { # CONTINUE or ABANDON
	[ -n "${INIT_HOOK:-}" ] && [ -z "$DRY" ] || return 0
	instance=$(retry metadata instance-id) || return 1
	# Where no hook waits (the script runs for the second time) this is refused, and no harm.
	aws autoscaling complete-lifecycle-action --auto-scaling-group-name "$INIT_GROUP" --lifecycle-hook-name "$INIT_HOOK" \
		--instance-id "$instance" --lifecycle-action-result "$1" || say "the group did not wait for this machine"
}

ended() {
	code=$?
	[ "$code" = 0 ] && return 0
	say "ended with code $code: the machine is given up"
	tell ABANDON
	exit "$code"
}

case ${1:-} in
'') ;;
--dry-run) DRY=1 ;;
*) fail "unknown argument $1: want --dry-run or none" ;;
esac
case $ROLE in
worker | autoscale) ;;
*) fail "INIT_ROLE: want worker or autoscale, got $ROLE" ;;
esac
trap ended EXIT
find_system
install_tools
AWS_REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
if [ -z "$AWS_REGION" ]; then
	AWS_REGION=$(retry metadata placement/region) || fail "there is no instance metadata, and no AWS_REGION"
fi
export AWS_REGION AWS_DEFAULT_REGION="$AWS_REGION"
[ "$ROLE" = autoscale ] || install_driver
install_program
write_environment
write_service
start_agent
start_service
tell CONTINUE
say "done"
