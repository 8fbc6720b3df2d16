package main

import "encoding/json"

// outcome is what a request came to; see src/sim/clients/plain-outcomes.ts. What is log time there has no place here.
type outcome struct {
	Kind        string     `json:"kind"`
	Reason      string     `json:"reason,omitempty"`
	Revision    int64      `json:"revision,omitempty"`
	Previous    *pair      `json:"previous,omitempty"`
	Pair        *pair      `json:"pair,omitempty"`
	Pairs       []pair     `json:"pairs,omitempty"`
	Deleted     int        `json:"deleted,omitempty"`
	Count       int        `json:"count,omitempty"`
	HasMore     bool       `json:"hasMore,omitempty"`
	Succeeded   bool       `json:"succeeded,omitempty"`
	Responses   []outcome  `json:"responses,omitempty"`
	Account     *account   `json:"account,omitempty"`
	Accounts    []account  `json:"accounts,omitempty"`
	Movement    *movement  `json:"movement,omitempty"`
	Source      *account   `json:"source,omitempty"`
	Destination *account   `json:"destination,omitempty"`
	Results     []movement `json:"results,omitempty"`
}

type pair struct {
	Key            string `json:"key"`
	Value          string `json:"value"`
	CreateRevision int64  `json:"createRevision"`
	ModRevision    int64  `json:"modRevision"`
	Version        int64  `json:"version"`
}

type account struct {
	Account        string `json:"account"`
	Asset          string `json:"asset"`
	Balance        int64  `json:"balance"`
	Held           int64  `json:"held"`
	OverdraftLimit int64  `json:"overdraftLimit"`
}

// movement is one as it stands. In a batch's results one that was refused has nothing but its reason.
type movement struct {
	ID            string `json:"id"`
	Kind          string `json:"kind"`
	Source        string `json:"source"`
	Destination   string `json:"destination"`
	Asset         string `json:"asset"`
	Amount        int64  `json:"amount"`
	Status        string `json:"status"`
	PendingAmount int64  `json:"pendingAmount"`
	RefusalReason string `json:"refusalReason"`
	Reason        string `json:"reason,omitempty"`
}

// String is the same for outcomes that are the same.
func (o outcome) String() string {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func refused(reason string) outcome {
	return outcome{Kind: "refused", Reason: reason}
}

func (o outcome) isRefused() bool {
	return o.Kind == "refused"
}
