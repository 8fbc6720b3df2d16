package main

import "fmt"

// bank carries out what is the bank's. It also gives the movement that was refused and stays so, whatever else is taken back.
func (s *state) bank(o operation) (outcome, *record) {
	switch o.Kind {
	case "open":
		if _, ok := s.accounts[o.Account]; ok {
			return refused("ACCOUNT_EXISTS"), nil
		}
		opened := account{Account: o.Account, Asset: o.Asset, OverdraftLimit: o.OverdraftLimit}
		s.setAccount(opened)
		s.changed()
		return outcome{Kind: "account", Account: &opened}, nil
	case "balance":
		found, ok := s.accounts[o.Account]
		if !ok {
			return refused("ACCOUNT_NOT_FOUND"), nil
		}
		return outcome{Kind: "account", Account: &found}, nil
	case "accounts":
		came := outcome{Kind: "accounts"}
		for _, id := range sortedKeys(s.accounts) {
			came.Accounts = append(came.Accounts, s.accounts[id])
		}
		return came, nil
	case "movement":
		found, ok := s.movements[o.ID]
		if !ok {
			return refused("TRANSFER_NOT_FOUND"), nil
		}
		return outcome{Kind: "movement", Movement: &found.Now}, nil
	case "deposit", "withdraw", "transfer":
		return s.move(o)
	case "post":
		return s.post(o), nil
	case "void":
		return s.void(o), nil
	}
	panic("unknown kind of operation: " + o.Kind)
}

// move makes a movement. A repeat gets what the first came to.
func (s *state) move(o operation) (outcome, *record) {
	content := fmt.Sprint(o.Kind, o.Account, o.Asset, o.Source, o.Destination, o.Amount, o.IsForged, o.IsPending, o.TimeoutMs)
	if known, ok := s.movements[o.ID]; ok {
		if known.Content != content {
			return refused("ID_REUSED"), nil
		}
		return known.First, stays(known)
	}
	if o.IsForged {
		return refused("INVALID_SIGNATURE"), nil
	}
	made := movement{ID: o.ID, Kind: o.Kind, Source: o.Source, Destination: o.Destination, Amount: o.Amount, Status: "posted"}
	switch o.Kind {
	case "deposit":
		made.Destination = o.Account
	case "withdraw":
		made.Kind, made.Source = "withdrawal", o.Account
	}
	source, hasSource := s.accounts[made.Source]
	destination, hasDestination := s.accounts[made.Destination]
	made.Asset = o.Asset
	if made.Asset == "" && hasSource {
		made.Asset = source.Asset
	} else if made.Asset == "" {
		made.Asset = destination.Asset
	}
	switch {
	case made.Source != "" && !hasSource, made.Destination != "" && !hasDestination:
		made.RefusalReason = "ACCOUNT_NOT_FOUND"
	case hasDestination && destination.Asset != made.Asset:
		made.RefusalReason = "ASSET_MISMATCH"
	case hasSource && source.Balance-source.Held+source.OverdraftLimit < o.Amount:
		made.RefusalReason = "INSUFFICIENT_FUNDS"
	}
	if o.IsPending {
		made.PendingAmount, made.Status = o.Amount, "pending"
	}
	if made.RefusalReason != "" {
		made.Status = "refused"
		kept := record{Content: content, Now: made, First: refused(made.RefusalReason)}
		s.setMovement(kept)
		return kept.First, &kept
	}
	// A refusal changes nothing that can be seen, though its id is remembered.
	s.changed()
	if o.IsPending {
		s.change(made.Source, 0, o.Amount)
	} else {
		s.change(made.Source, -o.Amount, 0)
		s.change(made.Destination, o.Amount, 0)
	}
	came := s.told(made)
	s.setMovement(record{Content: content, Now: made, First: came, EndsByItself: o.IsPending && o.TimeoutMs > 0})
	return came, nil
}

func (s *state) post(o operation) outcome {
	held, refusal := s.heldBy(o.ID)
	posted := o.Amount
	if posted == 0 {
		posted = held.Now.PendingAmount
	}
	if held.End != nil && held.Now.Status == "posted" && held.Now.Amount == posted {
		return *held.End
	}
	if refusal != "" {
		return refused(refusal)
	}
	if posted > held.Now.PendingAmount {
		return refused("EXCEEDS_PENDING_AMOUNT")
	}
	s.change(held.Now.Source, -posted, -held.Now.PendingAmount)
	s.change(held.Now.Destination, posted, 0)
	held.Now.Amount = posted
	return s.end(held, "posted")
}

func (s *state) void(o operation) outcome {
	held, refusal := s.heldBy(o.ID)
	if held.End != nil && held.Now.Status == "voided" {
		return *held.End
	}
	if refusal != "" {
		return refused(refusal)
	}
	s.change(held.Now.Source, 0, -held.Now.PendingAmount)
	return s.end(held, "voided")
}

// heldBy finds a transfer whose hold is to be ended, and why that cannot be.
func (s *state) heldBy(id string) (record, string) {
	found, ok := s.movements[id]
	switch {
	case !ok:
		return found, "TRANSFER_NOT_FOUND"
	case found.Now.Status == "expired":
		return found, "TRANSFER_EXPIRED"
	case found.Now.Status != "pending":
		return found, "TRANSFER_NOT_PENDING"
	}
	return found, ""
}

func (s *state) end(held record, status string) outcome {
	held.Now.Status = status
	came := s.told(held.Now)
	held.End = &came
	held.EndsByItself = false
	s.setMovement(held)
	s.changed()
	return came
}

// expire ends a hold by itself. It returns false where that cannot come to pass: before there is a hold.
func (s *state) expire(asked event) bool {
	found, exists := s.movements[asked.operation.ID]
	if exists && found.EndsByItself {
		s.change(found.Now.Source, 0, -found.Now.PendingAmount)
		found.Now.Status, found.EndsByItself = "expired", false
		s.setMovement(found)
		s.begin()
		s.changed()
	}
	return exists || !asked.wasMade
}

// batch makes transfers in order, each for itself, but of a linked group all or none. What found no room is left out.
func (s *state) batch(o operation, quotaRefused map[int]bool) outcome {
	came := outcome{Kind: "batch"}
	group := 0
	for next := 0; next < len(o.Transfers); {
		if group < len(o.LinkedGroups) && o.LinkedGroups[group].First == next {
			members := o.Transfers[next : next+o.LinkedGroups[group].Count]
			if quotaRefused[next] {
				came.Results = append(came.Results, refusedForQuota(members)...)
			} else {
				came.Results = append(came.Results, s.linked(members)...)
			}
			next += len(members)
			group++
			continue
		}
		if quotaRefused[next] {
			came.Results = append(came.Results, refusedForQuota(o.Transfers[next:next+1])...)
		} else {
			one, _ := s.move(o.Transfers[next])
			came.Results = append(came.Results, resultOf(one))
		}
		next++
	}
	return came
}

func (s *state) linked(members []operation) []movement {
	refuse := func(culprit int, reason string) []movement {
		results := make([]movement, len(members))
		for i := range results {
			results[i] = movement{Reason: "LINKED_REFUSED"}
		}
		results[culprit] = movement{Reason: reason}
		return results
	}
	// A group that was refused is refused again, whatever the others would come to now.
	for i, m := range members {
		if _, ok := s.movements[m.ID]; !ok {
			continue
		}
		if came, _ := s.move(m); came.isRefused() {
			return refuse(i, came.Reason)
		}
	}
	before := s.clone()
	results := []movement{}
	for i, m := range members {
		came, stays := s.move(m)
		if came.isRefused() {
			*s = *before
			s.keepRefused(stays)
			return refuse(i, came.Reason)
		}
		results = append(results, resultOf(came))
	}
	return results
}

// keepRefused enters again what was taken back with the rest: a refused id stays refused.
func (s *state) keepRefused(stays *record) {
	if stays == nil {
		return
	}
	if _, ok := s.movements[stays.Now.ID]; !ok {
		s.setMovement(*stays)
	}
}

func (s *state) change(id string, balance, held int64) {
	if id == "" {
		return
	}
	a := s.accounts[id]
	a.Balance += balance
	a.Held += held
	s.setAccount(a)
}

// told is a movement with its accounts as they are now.
func (s *state) told(m movement) outcome {
	came := outcome{Kind: "movement", Movement: &m}
	if a, ok := s.accounts[m.Source]; ok {
		came.Source = &a
	}
	if a, ok := s.accounts[m.Destination]; ok {
		came.Destination = &a
	}
	return came
}

func resultOf(came outcome) movement {
	if came.Movement != nil {
		return *came.Movement
	}
	return movement{Reason: came.Reason}
}

func stays(known record) *record {
	if known.Now.Status == "refused" {
		return &known
	}
	return nil
}
