package natsserver

import (
	"errors"
	"fmt"
)

// logger passes the server's messages on and catches the fatal ones, for which
// a server of its own would end the process.
type logger struct {
	out   Logger
	fatal chan error // holds the first one
}

func (l *logger) Noticef(format string, v ...any) { l.say(Logger.Info, format, v) }
func (l *logger) Warnf(format string, v ...any)   { l.say(Logger.Warn, format, v) }
func (l *logger) Errorf(format string, v ...any)  { l.say(Logger.Error, format, v) }
func (l *logger) Debugf(string, ...any)           {}
func (l *logger) Tracef(string, ...any)           {}

func (l *logger) Fatalf(format string, v ...any) {
	msg := fmt.Sprintf(format, v...)
	if l.out != nil {
		l.out.Error(msg)
	}
	select {
	case l.fatal <- errors.New(msg):
	default:
	}
}

func (l *logger) say(level func(Logger, string), format string, v []any) {
	if l.out != nil {
		level(l.out, fmt.Sprintf(format, v...))
	}
}
