package postgres

import (
	"fmt"

	contract "github.com/lathhost/lath/wit/wasmcloud/postgres"
)

const secondsPerDay = 24 * 60 * 60

// appendDay writes year, month and day, and tells whether the year is one before 1,
// which its own letters follow at the end. Whether there is such a day is for the
// server to say.
func appendDay(to []byte, v contract.Date) (text []byte, before bool) {
	switch v.Tag {
	case contract.DatePositiveInfinity:
		return append(to, "infinity"...), false
	case contract.DateNegativeInfinity:
		return append(to, "-infinity"...), false
	}
	year := int64(v.Ymd.F0)
	if before = year < 1; before {
		year = 1 - year
	}
	return fmt.Appendf(to, "%04d-%02d-%02d", year, v.Ymd.F1, v.Ymd.F2), before
}

func appendEra(to []byte, before bool) []byte {
	if before {
		return append(to, " BC"...)
	}
	return to
}

func appendDate(to []byte, v contract.Date) ([]byte, error) {
	to, before := appendDay(to, v)
	return appendEra(to, before), nil
}

// appendDates writes a daterange.
func appendDates(to []byte, v contract.Interval) ([]byte, error) {
	open, end := byte('('), byte(')')
	if v.StartInclusive {
		open = '['
	}
	if v.EndInclusive {
		end = ']'
	}
	to, before := appendDay(append(to, open), v.Start)
	to, last := appendDay(append(appendEra(to, before), ','), v.End)
	return append(appendEra(to, last), end), nil
}

func appendTime(to []byte, v contract.Time) ([]byte, error) {
	if v.Micro > 999_999 {
		return nil, fmt.Errorf("a second has no %d microseconds", v.Micro)
	}
	return fmt.Appendf(to, "%02d:%02d:%02d.%06d", v.Hour, v.Min, v.Sec, v.Micro), nil
}

func appendTimeTz(to []byte, v contract.TimeTz) ([]byte, error) {
	to, err := appendTime(to, v.Time)
	if err != nil {
		return nil, err
	}
	return append(append(to, ' '), v.Timesonze...), nil
}

func appendTimestamp(to []byte, v contract.Timestamp) ([]byte, error) {
	return appendMoment(to, v, "")
}

func appendTimestampTz(to []byte, v contract.TimestampTz) ([]byte, error) {
	offset, err := offsetText(v.Offset)
	if err != nil {
		return nil, err
	}
	return appendMoment(to, v.Timestamp, offset)
}

func appendMoment(to []byte, v contract.Timestamp, offset string) ([]byte, error) {
	to, before := appendDay(to, v.Date)
	if v.Date.Tag != contract.DateYmd {
		return to, nil
	}
	to, err := appendTime(append(to, ' '), v.Time)
	if err != nil {
		return nil, err
	}
	return appendEra(append(to, offset...), before), nil
}

// offsetText writes how far from UTC: "+05:30:00".
func offsetText(o contract.Offset) (string, error) {
	seconds := int64(o.EasternHemisphereSecs)
	if o.Tag == contract.OffsetWesternHemisphereSecs {
		seconds = -int64(o.WesternHemisphereSecs)
	}
	if seconds <= -secondsPerDay || seconds >= secondsPerDay {
		return "", fmt.Errorf("an offset of %d seconds from UTC", seconds)
	}
	return formatOffset(seconds), nil
}

func formatOffset(seconds int64) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	text := fmt.Sprintf("%c%02d:%02d", sign, seconds/3600, seconds/60%60)
	if seconds%60 != 0 {
		text += fmt.Sprintf(":%02d", seconds%60)
	}
	return text
}
