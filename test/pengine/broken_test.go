package pengine

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/lab/labtest"
)

// TestBrokenDocuments gives both what is no CIB at all: ours ends as the original
// does, says why in a line, and soon. Of what is no XML the original takes what it
// could read; ours refuses it: with the status of a CIB that is none, or of input that
// cannot be read where there is not even the beginning of one.
func TestBrokenDocuments(t *testing.T) {
	labtest.Need(t, original)
	bomb := strings.Builder{}
	bomb.WriteString(`<?xml version="1.0"?><!DOCTYPE cib [<!ENTITY e0 "ha">`)
	for i := range 40 {
		at, below := string(rune('a'+i%26))+string(rune('0'+i/26)), "e0"
		if i > 0 {
			below = string(rune('a'+(i-1)%26)) + string(rune('0'+(i-1)/26))
		}
		bomb.WriteString(`<!ENTITY ` + at + ` "` + strings.Repeat("&"+below+";", 10) + `">`)
	}
	bomb.WriteString(`]><cib epoch="&n1;"><configuration/></cib>`)
	valid := `<cib validate-with="none" epoch="1" num_updates="0" admin_epoch="0"><configuration><crm_config/><nodes/><resources/><constraints/></configuration><status/></cib>`
	noXML := map[string]string{
		"empty":            "",
		"no XML":           "this is no XML",
		"cut off":          valid[:len(valid)/2],
		"entity bomb":      bomb.String(),
		"external entity":  `<?xml version="1.0"?><!DOCTYPE cib [<!ENTITY x SYSTEM "file:///etc/passwd">]><cib epoch="1">&x;</cib>`,
		"deep":             strings.Repeat("<cib>", 100_000),
		"closed deep":      strings.Repeat("<cib>", 5000) + strings.Repeat("</cib>", 5000),
		"bad bytes":        strings.Replace(valid, "<status/>", "<status a=\"\xff\xfe\"/>", 1),
		"zero byte":        strings.Replace(valid, "<status/>", "<status a=\"\x00\"/>", 1),
		"attribute twice":  strings.Replace(valid, "<status/>", `<status a="1" a="2"/>`, 1),
		"two roots":        valid + valid,
		"megabytes of tag": "<" + strings.Repeat("x", 4<<20),
	}
	documents := map[string]string{
		"other element":   `<configuration/>`,
		"unknown schema":  strings.Replace(valid, `"none"`, `"pacemaker-99.9"`, 1),
		"no sections":     `<cib validate-with="none" epoch="1" num_updates="0" admin_epoch="0"/>`,
		"no schema":       strings.Replace(valid, ` validate-with="none"`, "", 1),
		"newer features":  strings.Replace(valid, `<cib `, `<cib crm_feature_set="99.0.0" `, 1),
		"large attribute": strings.Replace(valid, "<status/>", `<status a="`+strings.Repeat("x", 2<<20)+`"/>`, 1),
	}
	maps.Copy(documents, noXML)
	for name, document := range documents {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "cib.xml")
			if err := os.WriteFile(file, []byte(document), 0o600); err != nil {
				t.Fatal(err)
			}
			how := comparison{dir: t.TempDir(), cpu: *patience}
			want := how.originals("-x", file, "-R")
			start := time.Now()
			got := ours("-x", file, "-R")
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("takes %v", took)
			}
			if _, broken := noXML[name]; broken {
				if want.status = 70; strings.HasPrefix(document, "<") && !strings.HasPrefix(document, "<?") {
					want.status = 78
				}
			}
			if want.signal == 0 && want.status != got.status {
				t.Errorf("status %d, not %d\nours: %.300s\noriginal: %.300s", got.status, want.status, got.stderr, want.stderr)
			}
			if got.status != 0 && (strings.TrimSpace(got.stderr) == "" || len(got.stderr) > 1000) {
				t.Errorf("says %.2000q", got.stderr)
			}
		})
	}
}
