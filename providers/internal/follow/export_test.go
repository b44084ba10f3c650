package follow

// Ending says whether no more links are followed, for tests.
func (s *Links[H]) Ending() bool { return s.closed.Load() }
