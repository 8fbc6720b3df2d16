package main

import (
	"encoding/json"
	"slices"
	"strings"
)

// apply carries a request out, unless its request_id says that it has been already. Of a batch, these transfers found no room.
func (s *state) apply(o operation, quotaRefused map[int]bool) outcome {
	s.begin()
	if o.Kind == "batch" {
		return s.batch(o, quotaRefused)
	}
	if o.RequestID == "" {
		return s.carryOut(o)
	}
	id := o.RequestID
	o.RequestID = ""
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	if known, ok := s.requests[id]; ok {
		if known.Content == string(text) {
			return known.Answer
		}
		return refused("ID_REUSED")
	}
	came := s.carryOut(o)
	s.keep(id, firstAnswer{Content: string(text), Answer: came})
	return came
}

// carryOut does what is asked. All its changes share one revision.
func (s *state) carryOut(o operation) outcome {
	switch o.Kind {
	case "put":
		return s.put(o)
	case "delete":
		return s.deleteKeys(o)
	case "get":
		return s.get(o)
	case "list":
		return s.list(o)
	case "txn":
		return s.txn(o)
	case "logRead":
		query := operation{}
		if err := json.Unmarshal(o.Query, &query); err != nil {
			panic(err)
		}
		return s.carryOut(query)
	}
	came, _ := s.bank(o)
	return came
}

func (s *state) put(o operation) outcome {
	revision := s.changed()
	came := outcome{Kind: "put", Revision: revision}
	next := pair{Key: o.Key, Value: o.Value, CreateRevision: revision, ModRevision: revision, Version: 1}
	if before, ok := s.pairs[o.Key]; ok {
		came.Previous = &before
		next.CreateRevision = before.CreateRevision
		next.Version = before.Version + 1
	}
	s.setPair(next)
	return came
}

// deleteKeys makes no revision if there is nothing to delete.
func (s *state) deleteKeys(o operation) outcome {
	deleted := []pair{}
	for _, key := range sortedKeys(s.pairs) {
		if o.Target.Key != nil && key == *o.Target.Key || o.Target.Prefix != nil && strings.HasPrefix(key, *o.Target.Prefix) {
			deleted = append(deleted, s.pairs[key])
		}
	}
	for _, p := range deleted {
		s.deletePair(p.Key)
	}
	if len(deleted) > 0 {
		s.changed()
	}
	return outcome{Kind: "delete", Deleted: len(deleted), Revision: s.revision, Pairs: deleted}
}

func (s *state) get(o operation) outcome {
	came := outcome{Kind: "get", Revision: s.revision}
	if p, ok := s.pairs[o.Key]; ok {
		came.Pair = &p
	}
	return came
}

// list orders keys by their bytes, as Go does.
func (s *state) list(o operation) outcome {
	found := []pair{}
	for _, key := range sortedKeys(s.pairs) {
		if strings.HasPrefix(key, o.Prefix) && key >= o.Start && (o.End == "" || key < o.End) {
			found = append(found, s.pairs[key])
		}
	}
	came := outcome{Kind: "list", Count: len(found), Revision: s.revision}
	if o.CountOnly {
		return came
	}
	if o.IsDescending {
		slices.Reverse(found)
	}
	if o.Limit > 0 && len(found) > o.Limit {
		found = found[:o.Limit]
		came.HasMore = true
	}
	if o.KeysOnly {
		for i := range found {
			found[i].Value = ""
		}
	}
	came.Pairs = found
	return came
}

// txn is all or nothing, but that a refused movement's id stays refused. Its changes share one revision.
func (s *state) txn(o operation) outcome {
	before := s.clone()
	steps := o.WhenTrue
	succeeded := true
	for _, c := range o.Compare {
		succeeded = succeeded && s.holds(c)
	}
	if !succeeded {
		steps = o.WhenFalse
	}
	came := outcome{Kind: "txn", Succeeded: succeeded}
	for _, step := range steps {
		var response outcome
		var stays *record
		switch step.Kind {
		case "put", "delete", "get":
			response = s.carryOut(step)
		default:
			response, stays = s.bank(step)
		}
		if response.isRefused() {
			*s = *before
			s.keepRefused(stays)
			return response
		}
		came.Responses = append(came.Responses, response)
	}
	came.Revision = s.revision
	return came
}

// holds compares; a key that does not exist has version 0, and by value it only satisfies notEqual.
func (s *state) holds(c comparison) bool {
	p, exists := s.pairs[c.Key]
	difference := 0
	if c.Target.Version != nil {
		difference = int(p.Version - *c.Target.Version)
	} else if !exists {
		return c.Operator == "notEqual"
	} else {
		difference = strings.Compare(p.Value, *c.Target.Value)
	}
	switch c.Operator {
	case "equal":
		return difference == 0
	case "notEqual":
		return difference != 0
	case "less":
		return difference < 0
	default:
		return difference > 0
	}
}
