package iso8601

import "testing"

// The first five are from upstream's own test, pcmk__readable_interval_test.c.
func TestReadable(t *testing.T) {
	for ms, want := range map[int64]string{
		0: "0s", 30000: "30s", 150000: "2m30s", 3333: "3.333s", 4294967295: "49d17h2m47.295s",
		1: "1ms", 1000: "1000ms", 60000: "60s", 3600000: "60m", 20000: "20s", 1001: "1.001s",
		500: "500ms", 1500: "1.500s", 61000: "1m1000ms", 3600001: "1h1ms",
	} {
		if got := ReadableMS(ms); got != want {
			t.Errorf("%d ms: %q, want %q", ms, got, want)
		}
	}
}
