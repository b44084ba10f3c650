package cron

import (
	"errors"
	"fmt"
	"time"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/internal/settings"
	"github.com/lathhost/lath/providers/messaging"
)

// Defaults of settings.
const (
	DefaultTimeout = 30 * time.Second
	DefaultLease   = 10 * time.Second
	DefaultHistory = 20
)

// Bounds of settings.
const (
	minLease   = 500 * time.Millisecond
	maxLease   = 24 * time.Hour
	maxHistory = 200
)

// config is what the settings of a link say: schedule (see [Parse]), timezone (such
// as Europe/Berlin; default UTC), subject (of its messages; default: the link's
// name), misfire (skip or once), timeout_ms (of one firing), lease_ms (after which,
// unchanged as another has measured it, one whose holder has died is that one's) and history (how many firings are kept).
type config struct {
	schedule *Schedule
	subject  string
	once     bool
	timeout  time.Duration
	lease    time.Duration
	history  int64
}

func readConfig(from provider.Settings, name, latticeName string) (config, error) {
	c := config{subject: name, timeout: DefaultTimeout, lease: DefaultLease, history: DefaultHistory}
	var text string
	loc := time.UTC
	s := settings.Set{
		"schedule": settings.Text(&text), "subject": settings.Text(&c.subject),
		"timeout_ms": settings.Milliseconds(&c.timeout), "lease_ms": settings.Milliseconds(&c.lease),
		"history": settings.Within(&c.history, 0, maxHistory),
		"timezone": func(value string) (err error) {
			if loc, err = time.LoadLocation(value); err != nil || value == "Local" {
				return errors.New("want a name such as Europe/Berlin or UTC")
			}
			return nil
		},
		"misfire": func(value string) error {
			if value != "skip" && value != "once" {
				return errors.New("want skip or once")
			}
			c.once = value == "once"
			return nil
		},
	}
	if err := s.Read("cron", from); err != nil {
		return config{}, err
	}
	if text == "" {
		return config{}, errors.New(`cron configuration: schedule: there is none; set one such as schedule="*/5 * * * *"`)
	}
	var err error
	if c.schedule, err = Parse(text, loc); err != nil {
		return config{}, fmt.Errorf("cron configuration: %w", err)
	}
	if c.lease < minLease || c.lease > maxLease {
		return config{}, fmt.Errorf("cron configuration: lease_ms: want %d to %d", minLease.Milliseconds(), maxLease.Milliseconds())
	}
	if err := (messaging.Rules{Lattice: latticeName}).CheckPublish(c.subject); err != nil {
		return config{}, fmt.Errorf("cron configuration: subject: %w", err)
	}
	return c, nil
}
