package main

import (
	"encoding/json"
	"hash/fnv"
	"maps"
	"slices"

	"github.com/anishathalye/porcupine"
)

// state is the bank and the keys at one point of an order.
type state struct {
	revision int64
	// next is the revision that the changes of the command take which is carried out.
	next      int64
	pairs     map[string]pair
	accounts  map[string]account
	movements map[string]record
	requests  map[string]firstAnswer
	// sum of the hashes of all rows: whether two states are the same is asked at each step of the search.
	sum uint64
}

// record is all that is known under a movement's id.
type record struct {
	// Content is what a repeat must have in common.
	Content string
	Now     movement
	// First is what it came to when it was made, End when it was posted or voided.
	First outcome
	End   *outcome
	// EndsByItself: it is pending with a timeout.
	EndsByItself bool
}

// firstAnswer is what a request_id stands for.
type firstAnswer struct {
	Content string
	Answer  outcome
}

var model = porcupine.Model{
	Init: func() interface{} {
		return &state{revision: 1, pairs: map[string]pair{}, accounts: map[string]account{}, movements: map[string]record{}, requests: map[string]firstAnswer{}}
	},
	Step: func(from, input, output interface{}) (bool, interface{}) {
		next := from.(*state).clone()
		asked, told := input.(event), output.(answer)
		if asked.operation.Kind == expiry {
			return next.expire(asked), next
		}
		if isAllowed, isSettled := next.settle(asked.operation, told); isSettled {
			return isAllowed, next
		}
		came := next.apply(asked.operation, told.quotaRefused)
		return !told.isKnown || told.outcome == came.String(), next
	},
	Equal: func(a, b interface{}) bool { return a.(*state).sum == b.(*state).sum },
	Hash:  func(s interface{}) uint64 { return s.(*state).sum },
	DescribeOperation: func(input, output interface{}) string {
		return input.(event).text + " -> " + output.(answer).outcome
	},
}

func (s *state) clone() *state {
	return &state{
		revision:  s.revision,
		next:      s.next,
		pairs:     maps.Clone(s.pairs),
		accounts:  maps.Clone(s.accounts),
		movements: maps.Clone(s.movements),
		requests:  maps.Clone(s.requests),
		sum:       s.sum,
	}
}

// begin is called before a command, and before the end of a hold.
func (s *state) begin() {
	s.next = s.revision + 1
}

// changed is called for each change of a key, an account or a movement. It gives the revision of the command.
func (s *state) changed() int64 {
	s.sum += hash("revision", "", s.next) - hash("revision", "", s.revision)
	s.revision = s.next
	return s.revision
}

func (s *state) setPair(p pair)                    { set(s, "pair", s.pairs, p.Key, p) }
func (s *state) setAccount(a account)              { set(s, "account", s.accounts, a.Account, a) }
func (s *state) setMovement(r record)              { set(s, "movement", s.movements, r.Now.ID, r) }
func (s *state) deletePair(key string)             { remove(s, "pair", s.pairs, key) }
func (s *state) keep(id string, first firstAnswer) { set(s, "request", s.requests, id, first) }

func set[V any](s *state, table string, rows map[string]V, key string, row V) {
	remove(s, table, rows, key)
	rows[key] = row
	s.sum += hash(table, key, row)
}

func remove[V any](s *state, table string, rows map[string]V, key string) {
	if before, ok := rows[key]; ok {
		s.sum -= hash(table, key, before)
		delete(rows, key)
	}
}

func hash(table, key string, row any) uint64 {
	text, err := json.Marshal(row)
	if err != nil {
		panic(err)
	}
	h := fnv.New64a()
	h.Write([]byte(table + "/" + key + "="))
	h.Write(text)
	// The bare FNV is too regular for sums of it: mixed as in MurmurHash3.
	x := h.Sum64()
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

func sortedKeys[V any](rows map[string]V) []string {
	return slices.Sorted(maps.Keys(rows))
}
