package model

// Gravity is what a problem does to a run: the original marks it with one of
// six macros (pengine/internal.h, logging_internal.h).
type Gravity uint8

// The macros.
const (
	ConfigErr  Gravity = iota // pcmk__config_err
	ConfigWarn                // pcmk__config_warn
	PeErr                     // pe_err: of the configuration and of the run
	PeWarn                    // pe_warn
	ProcErr                   // pe_proc_err: of the run alone
	ProcWarn                  // pe_proc_warn
	LogErr                    // crm_err: only told
	LogWarn                   // crm_warn
)

// Problem is something wrong with the configuration or the state of the
// cluster. Func is the original's function, which crm_verify shows.
type Problem struct {
	Gravity Gravity
	Func    string
	Text    string
}

// Error tells an error from a warning.
func (p Problem) Error() bool {
	return p.Gravity == ConfigErr || p.Gravity == PeErr || p.Gravity == ProcErr || p.Gravity == LogErr
}

// ConfigError says that the configuration is at fault (crm_config_error).
func (p Problem) ConfigError() bool { return p.Gravity == ConfigErr || p.Gravity == PeErr }

// ConfigWarning says that the configuration is doubtful (crm_config_warning).
func (p Problem) ConfigWarning() bool { return p.Gravity == ConfigWarn || p.Gravity == PeWarn }

// RunError marks the input as one that met an error (was_processing_error).
func (p Problem) RunError() bool { return p.Gravity == PeErr || p.Gravity == ProcErr }

// RunWarning marks the input as one that met a warning (was_processing_warning).
func (p Problem) RunWarning() bool { return p.Gravity == PeWarn || p.Gravity == ProcWarn }

// Report records a problem.
func (c *Cluster) Report(g Gravity, fn, text string) {
	c.Problems = append(c.Problems, Problem{g, fn, text})
}

// ReportOnce is Report for what is told once however often it is met
// (pe_warn_once).
func (c *Cluster) ReportOnce(g Gravity, fn, text string) {
	for _, p := range c.Problems {
		if p.Func == fn && p.Text == text {
			return
		}
	}
	c.Report(g, fn, text)
}

// Errorf records a problem of the configuration.
func (c *Cluster) Errorf(text string) { c.Report(ConfigErr, "", text) }
