package format_test

import (
	"testing"
	"time"

	"slate360.ai/worker/internal/format"
)

func TestFormat(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{format.Bytes(0), "0 B"},
		{format.Bytes(1023), "1023 B"},
		{format.Bytes(1024), "1.00 KiB"},
		{format.Bytes(84263544), "80.4 MiB"},
		{format.Bytes(1 << 40), "1.00 TiB"},
		{format.Bytes(1<<30 - 1), "1.00 GiB"},
		{format.Bytes(1<<63 - 1), "8.00 EiB"},
		{format.Count(10653336), "10,653,336"},
		{format.Count(-1234), "-1,234"},
		{format.Count(-123), "-123"},
		{format.Count(999), "999"},
		{format.Rate(12.34), "12.3 /s"},
		{format.Rate(4_100_000), "4.10 M/s"},
		{format.Seconds(0.418), "0.42 s"},
		{format.Seconds(125), "2 min 05 s"},
		{format.Remaining(59*time.Second + 600*time.Millisecond), "1 min 00 s"},
		{format.Remaining(2*time.Hour + 5*time.Minute), "2 h 05 min"},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}
