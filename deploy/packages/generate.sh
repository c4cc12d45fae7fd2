#!/bin/sh
# Writes what packages and archives have beside the program, into a folder: shell
# completions, manual pages, the unit and its environment file. All of it is what
# the program of this checkout itself prints, so that none can differ from it.
set -eu
cd "$(dirname "$0")/../.."
to=${1:?the folder to write to is missing}
rm -rf "$to"
mkdir -p "$to/completions" "$to/man" "$to/systemd"
bin=$to/slate360-worker
CGO_ENABLED=0 GOOS='' GOARCH='' go build -trimpath -o "$bin" ./cmd/slate360-worker
"$bin" completion bash >"$to/completions/slate360-worker.bash"
"$bin" completion fish >"$to/completions/slate360-worker.fish"
"$bin" completion zsh >"$to/completions/_slate360-worker"
"$bin" install man --dir "$to/man"
find "$to/man" -type f -exec gzip -9n {} +
"$bin" install systemd --print --binary /usr/bin/slate360-worker >"$to/systemd/slate360-worker.service"
"$bin" install systemd --print-env >"$to/systemd/slate360-worker.env"
{
	printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n'
	printf 'Upstream-Name: slate360-worker\n\nFiles: *\nCopyright: 2026 Slate360\nLicense: Apache-2.0\n'
	printf ' On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.\n'
} >"$to/copyright"
rm "$bin"
