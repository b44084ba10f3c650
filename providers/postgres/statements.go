package postgres

import (
	"container/list"
	"crypto/rand"
	"sync"
	"time"
)

// statements are the prepared statements of one link, by their tokens. A token is
// nothing but a name that cannot be guessed: connections come and go, and each
// prepares what it is asked for.
type statements struct {
	most int64
	ttl  time.Duration

	mu     sync.Mutex
	tokens map[string]*list.Element // of *prepared
	texts  map[string]*list.Element
	recent *list.List // the last used first
}

type prepared struct {
	token, sql string
	used       time.Time
}

func newStatements(l *Limits) *statements {
	return &statements{most: l.MaxStatements, ttl: l.StatementTTL, tokens: map[string]*list.Element{}, texts: map[string]*list.Element{}, recent: list.New()}
}

// put returns the token of a statement, a new one unless it has one.
func (s *statements) put(sql string) (token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.expire(now)
	if e, ok := s.texts[sql]; ok {
		return s.touch(e, now).token
	}
	if int64(s.recent.Len()) >= s.most {
		s.drop(s.recent.Back())
	}
	p := &prepared{token: "prepared-statement-" + rand.Text(), sql: sql, used: now}
	e := s.recent.PushFront(p)
	s.tokens[p.token], s.texts[sql] = e, e
	return p.token
}

// get returns the statement of a token.
func (s *statements) get(token string) (sql string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.expire(now)
	e, ok := s.tokens[token]
	if !ok {
		return "", false
	}
	return s.touch(e, now).sql, true
}

func (s *statements) touch(e *list.Element, now time.Time) *prepared {
	s.recent.MoveToFront(e)
	p := e.Value.(*prepared) //nolint:forcetypeassert // of nothing else
	p.used = now
	return p
}

func (s *statements) expire(now time.Time) {
	for e := s.recent.Back(); e != nil; e = s.recent.Back() {
		if now.Sub(e.Value.(*prepared).used) < s.ttl { //nolint:forcetypeassert // of nothing else
			return
		}
		s.drop(e)
	}
}

func (s *statements) drop(e *list.Element) {
	p := s.recent.Remove(e).(*prepared) //nolint:forcetypeassert // of nothing else
	delete(s.tokens, p.token)
	delete(s.texts, p.sql)
}
