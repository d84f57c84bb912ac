package softphone

import "github.com/pion/logging"

// quiet is pion's logger that says nothing: what matters of it shows in states
// and figures, and anybody on the network could fill a log with the rest.
type quiet struct{}

func (quiet) Trace(string)          {}
func (quiet) Tracef(string, ...any) {}
func (quiet) Debug(string)          {}
func (quiet) Debugf(string, ...any) {}
func (quiet) Info(string)           {}
func (quiet) Infof(string, ...any)  {}
func (quiet) Warn(string)           {}
func (quiet) Warnf(string, ...any)  {}
func (quiet) Error(string)          {}
func (quiet) Errorf(string, ...any) {}

// loggers gives it to all of pion's parts.
type loggers struct{}

func (loggers) NewLogger(string) logging.LeveledLogger { return quiet{} }
