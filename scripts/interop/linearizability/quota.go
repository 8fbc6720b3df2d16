package main

const (
	quotaExceeded = "QUOTA_EXCEEDED"
	expiredID     = "EXPIRED_ID"
)

// How full the state is depends on more than this model knows, and when a first answer is dropped, too: what was told is taken for
// true where it is possible. settle tells whether the answer is of such a kind, and if so whether it is allowed.
func (s *state) settle(o operation, told answer) (isAllowed, isSettled bool) {
	switch told.reason {
	case quotaExceeded:
		return mayGrow(o), true
	case expiredID:
		if o.RequestID == "" {
			return false, true
		}
		// Either somebody else has used the id, or an earlier try of this very request took effect.
		if _, isUsed := s.requests[o.RequestID]; !isUsed {
			s.apply(o, nil)
		}
		return true, true
	}
	return false, false
}

// mayGrow: only what needs room may be told that there is none.
func mayGrow(o operation) bool {
	switch o.Kind {
	case "put", "open", "deposit", "withdraw", "txn":
		return true
	case "transfer":
		return o.IsPending && o.TimeoutMs > 0
	}
	return false
}

func refusedForQuota(members []operation) []movement {
	results := make([]movement, len(members))
	for i := range results {
		results[i] = movement{Reason: quotaExceeded}
	}
	// Nothing in it needed room: no answer is like this one.
	needsRoom := false
	for _, m := range members {
		needsRoom = needsRoom || mayGrow(m)
	}
	if !needsRoom {
		results[0].Reason = "a refusal for the quota without need"
	}
	return results
}

func quotaRefused(told outcome) map[int]bool {
	places := map[int]bool{}
	for i, m := range told.Results {
		if m.Reason == quotaExceeded {
			places[i] = true
		}
	}
	return places
}

// apartForQuota: where there is a quota, of a batch whose answer nobody heard any part may have found no room. Each of its transfers and linked
// groups then stands for itself, to take effect or not.
func apartForQuota(requests []request) []request {
	hasQuota := false
	for _, r := range requests {
		if r.Answer != nil && (r.Answer.Reason == quotaExceeded || len(quotaRefused(*r.Answer)) > 0) {
			hasQuota = true
		}
	}
	if !hasQuota {
		return requests
	}
	apart := []request{}
	for _, r := range requests {
		if r.Operation.Kind != "batch" || r.Answer != nil {
			apart = append(apart, r)
			continue
		}
		for next := 0; next < len(r.Operation.Transfers); {
			part := r
			part.Operation = operation{Kind: "batch"}
			count := 1
			for _, g := range r.Operation.LinkedGroups {
				if g.First == next {
					count = g.Count
					part.Operation.LinkedGroups = []linkedGroup{{First: 0, Count: count}}
				}
			}
			part.Operation.Transfers = r.Operation.Transfers[next : next+count]
			apart = append(apart, part)
			next += count
		}
	}
	return apart
}
