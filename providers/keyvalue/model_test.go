package keyvalue_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/wit"
)

// model is what a store of small limits must hold: the keys of each bucket in
// the order in which they came, and their values.
type model struct {
	order  map[string][]string
	values map[[2]string]string
}

// fits tells whether a value may be set.
func (m *model) fits(bucket, key, value string) bool {
	old, is := m.values[[2]string{bucket, key}]
	bytes, keys, buckets := len(key)+len(value), len(m.values), len(m.order)
	for k, v := range m.values {
		bytes += len(k[1]) + len(v)
	}
	if is {
		bytes -= len(key) + len(old)
	} else {
		keys++
	}
	if _, is := m.order[bucket]; !is {
		buckets++
	}
	l := smallLimits
	return len(value) <= l.ValueBytes && keys <= l.Keys && buckets <= l.Buckets &&
		(bytes <= l.Bytes || is && len(value) <= len(old))
}

func (m *model) set(bucket, key, value string) {
	if _, is := m.values[[2]string{bucket, key}]; !is {
		m.order[bucket] = append(m.order[bucket], key)
	}
	m.values[[2]string{bucket, key}] = value
}

func (m *model) delete(bucket, key string) {
	delete(m.values, [2]string{bucket, key})
	m.order[bucket] = slices.DeleteFunc(m.order[bucket], func(k string) bool { return k == key })
	if len(m.order[bucket]) == 0 {
		delete(m.order, bucket)
	}
}

// TestMemoryIsItsModel: any calls in any order leave what a plain map with the
// same limits would hold.
func TestMemoryIsItsModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := keyvalue.NewMemory(small())
		want := &model{order: map[string][]string{}, values: map[[2]string]string{}}
		buckets := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		keys := rapid.SampledFrom([]string{"", "1", "22", "333", "4444"})
		lengths := rapid.IntRange(0, 105)
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				bucket, key := buckets.Draw(t, "bucket"), keys.Draw(t, "key")
				value := string(slices.Repeat([]byte("1"), lengths.Draw(t, "length")))
				fits := want.fits(bucket, key, value)
				err := m.Set(t.Context(), bucket, key, []byte(value))
				require.Equal(t, fits, err == nil, "%v", err)
				if fits {
					want.set(bucket, key, value)
				}
			},
			"delete": func(t *rapid.T) {
				bucket, key := buckets.Draw(t, "bucket"), keys.Draw(t, "key")
				require.NoError(t, m.Delete(t.Context(), bucket, key))
				want.delete(bucket, key)
			},
			"increment": func(t *rapid.T) {
				bucket, key := buckets.Draw(t, "bucket"), keys.Draw(t, "key")
				old, is := want.values[[2]string{bucket, key}]
				n, parseErr := strconv.ParseUint(old, 10, 64)
				value := strconv.FormatUint(n+9, 10)
				fits := (parseErr == nil || !is) && want.fits(bucket, key, value)
				got, err := m.Increment(t.Context(), bucket, key, 9)
				require.Equal(t, fits, err == nil, "%v", err)
				if fits {
					require.Equal(t, n+9, got)
					want.set(bucket, key, value)
				}
			},
			"": func(t *rapid.T) {
				for _, bucket := range []string{"a", "b", "c", "d", "e"} {
					var listed []string
					for cursor := (wit.Option[uint64]{}); ; {
						page, err := m.ListKeys(t.Context(), bucket, cursor)
						require.NoError(t, err)
						listed = append(listed, page.Keys...)
						if cursor = page.Cursor; !cursor.OK {
							break
						}
					}
					require.Equal(t, want.order[bucket], listed)
					for _, key := range listed {
						v, err := m.Get(t.Context(), bucket, key)
						require.NoError(t, err)
						require.Equal(t, want.values[[2]string{bucket, key}], string(v.Value))
					}
				}
			},
		})
	})
}
