package wit

// Option is the Go form of option<T> in generated contracts.
type Option[T any] struct {
	Value T
	OK    bool
}

// Some returns a present option.
func Some[T any](v T) Option[T] { return Option[T]{Value: v, OK: true} }

// None returns an absent option.
func None[T any]() Option[T] { return Option[T]{} }

// Result is the Go form of a result that is not a function's own result (that
// one is a Go error).
type Result[T, E any] struct {
	Value T
	Err   E
	IsErr bool
}
