//go:build !linux

package refuse

import "errors"

func install([]string) error { return errors.ErrUnsupported }
