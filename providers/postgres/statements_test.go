package postgres

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStatements(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStatements(&Limits{MaxStatements: 3, StatementTTL: time.Hour})
		tokens := map[string]string{}
		for i := range 3 {
			tokens[strconv.Itoa(i)] = s.put(strconv.Itoa(i))
		}
		require.Equal(t, tokens["0"], s.put("0"), "a statement has one token")
		time.Sleep(time.Minute)
		// The one that was used longest ago makes room.
		sql, ok := s.get(tokens["1"])
		require.True(t, ok)
		require.Equal(t, "1", sql)
		tokens["3"] = s.put("3")
		_, ok = s.get(tokens["2"])
		require.False(t, ok)
		for _, sql := range []string{"0", "1", "3"} {
			got, ok := s.get(tokens[sql])
			require.True(t, ok)
			require.Equal(t, sql, got)
		}
		time.Sleep(59 * time.Minute)
		_, ok = s.get(tokens["0"])
		require.True(t, ok)
		time.Sleep(time.Minute)
		_, ok = s.get(tokens["1"])
		require.False(t, ok, "nobody used it for an hour")
		_, ok = s.get(tokens["0"])
		require.True(t, ok)
		require.NotEqual(t, tokens["1"], s.put("1"), "a token that was forgotten does not come back")
		time.Sleep(time.Hour)
		s.expire(time.Now())
		require.Empty(t, s.tokens)
		require.Empty(t, s.texts)
		require.Zero(t, s.recent.Len())
	})
}

func TestMoney(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		amount   string
		decimals int
		units    int64
		back     string // empty: the amount
	}{
		{"12.50", 2, 1250, ""}, {"-0.05", 2, -5, ""}, {"7", 2, 700, "7.00"}, {"7", 0, 7, ""}, {"-7", 0, -7, ""}, {".5", 3, 500, "0.500"}, {"1.", 1, 10, "1.0"},
		{"92233720368547758.07", 2, 1<<63 - 1, ""}, {"-92233720368547758.08", 2, -1 << 63, ""}, {"0", 2, 0, "0.00"},
	} {
		b, err := appendMoney(nil, test.amount, test.decimals)
		require.NoError(t, err, test.amount)
		r := &reader{b: b}
		require.Equal(t, test.units, r.int64(), test.amount)
		if test.back == "" {
			test.back = test.amount
		}
		r = &reader{b: b}
		require.Equal(t, test.back, r.money(test.decimals))
	}
	for _, amount := range []string{"", "-", ".", "--1", "1e5", "$1", "1,000", "0.125", "92233720368547758.08", "-92233720368547758.09", "99999999999999999999", "1.2.3", "NaN", " 1"} {
		_, err := appendMoney(nil, amount, 2)
		require.Error(t, err, amount)
	}
}
