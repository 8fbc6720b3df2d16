package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"

	"github.com/anishathalye/porcupine"
)

// operation is what was asked. Of all these fields each kind has a few; see src/sim/clients/simulated-operations.ts.
type operation struct {
	Kind           string          `json:"kind"`
	RequestID      string          `json:"requestId"`
	ID             string          `json:"id"`
	Key            string          `json:"key"`
	Value          string          `json:"value"`
	Target         target          `json:"target"`
	Account        string          `json:"account"`
	Asset          string          `json:"asset"`
	Source         string          `json:"source"`
	Destination    string          `json:"destination"`
	Amount         int64           `json:"amount"`
	OverdraftLimit int64           `json:"overdraftLimit"`
	IsForged       bool            `json:"isForged"`
	IsPending      bool            `json:"isPending"`
	TimeoutMs      int64           `json:"timeoutMs"`
	Transfers      []operation     `json:"transfers"`
	LinkedGroups   []linkedGroup   `json:"linkedGroups"`
	Prefix         string          `json:"prefix"`
	Start          string          `json:"start"`
	End            string          `json:"end"`
	Limit          int             `json:"limit"`
	IsDescending   bool            `json:"isDescending"`
	KeysOnly       bool            `json:"keysOnly"`
	CountOnly      bool            `json:"countOnly"`
	Compare        []comparison    `json:"compare"`
	WhenTrue       []operation     `json:"whenTrue"`
	WhenFalse      []operation     `json:"whenFalse"`
	Query          json.RawMessage `json:"query"`
}

type target struct {
	Key    *string `json:"key"`
	Prefix *string `json:"prefix"`
}

type linkedGroup struct {
	First int `json:"first"`
	Count int `json:"count"`
}

type comparison struct {
	Key      string `json:"key"`
	Operator string `json:"operator"`
	Target   struct {
		Value   *string `json:"value"`
		Version *int64  `json:"version"`
	} `json:"target"`
}

// request is a line of the file.
type request struct {
	Operation  operation `json:"operation"`
	InvokedUs  int64     `json:"invokedUs"`
	ReturnedUs *int64    `json:"returnedUs"`
	Answer     *outcome  `json:"answer"`
	line       int
	text       string
}

// event is what a search puts in order: a request, or the end of a hold that nobody asks for.
type event struct {
	operation operation
	line      int
	text      string
	// wasMade: of the end of a hold, that there surely was one.
	wasMade bool
}

// answer is what a client was told: the outcome as JSON, if it was told anything.
type answer struct {
	isKnown bool
	outcome string
	// reason: why it was refused, if it was.
	reason string
	// quotaRefused: of a batch, the places of the transfers that found no room.
	quotaRefused map[int]bool
}

const (
	formatName  = "synod-history"
	version     = 1
	lineBytes   = 1 << 24
	expiry      = "expiry"
	neverReturn = math.MaxInt64
)

func readHistory(file string) ([]request, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 0, 1<<16), lineBytes)
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	requests := []request{}
	for number := 1; lines.Scan(); number++ {
		if number == 1 {
			if err := json.Unmarshal(lines.Bytes(), &head); err != nil || head.Format != formatName || head.Version != version {
				return nil, fmt.Errorf("not a %s of version %d", formatName, version)
			}
			continue
		}
		next := request{line: number}
		if err := json.Unmarshal(lines.Bytes(), &next); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		var raw struct {
			Operation json.RawMessage `json:"operation"`
		}
		_ = json.Unmarshal(lines.Bytes(), &raw)
		next.text = string(raw.Operation)
		requests = append(requests, next)
	}
	return requests, lines.Err()
}

func operationsOf(requests []request) []porcupine.Operation {
	ended := endedHolds(requests)
	operations := []porcupine.Operation{}
	for _, r := range apartForQuota(requests) {
		asked := event{operation: r.Operation, line: r.line, text: r.text}
		told := answer{}
		returned := int64(neverReturn)
		if r.Answer != nil && r.ReturnedUs != nil {
			told = answer{isKnown: true, outcome: r.Answer.String(), reason: r.Answer.Reason, quotaRefused: quotaRefused(*r.Answer)}
			returned = *r.ReturnedUs
		}
		if !told.isKnown && isRead(r.Operation) {
			continue // changes nothing, and nobody saw it
		}
		operations = append(operations, porcupine.Operation{Input: asked, Call: r.InvokedUs, Output: told, Return: returned})
		for _, hold := range holdsIn(r.Operation) {
			if ended[hold.ID] || told.isKnown && !made(*r.Answer)[hold.ID] {
				continue
			}
			end := event{operation: operation{Kind: expiry, ID: hold.ID}, line: -r.line, text: "the end of hold " + hold.ID, wasMade: told.isKnown}
			operations = append(operations, porcupine.Operation{Input: end, Call: r.InvokedUs, Output: answer{}, Return: neverReturn})
		}
	}
	return operations
}

func isRead(o operation) bool {
	switch o.Kind {
	case "get", "list", "balance", "accounts", "movement", "logRead":
		return true
	}
	return false
}

// holdsIn gives the transfers that may end by themselves.
func holdsIn(o operation) []operation {
	holds := []operation{}
	for _, part := range append(append(append([]operation{o}, o.Transfers...), o.WhenTrue...), o.WhenFalse...) {
		if part.Kind == "transfer" && part.IsPending && part.TimeoutMs > 0 {
			holds = append(holds, part)
		}
	}
	return holds
}

// made tells which movements an answer says to have been made.
func made(told outcome) map[string]bool {
	ids := map[string]bool{}
	for _, m := range told.Results {
		ids[m.ID] = true
	}
	for _, o := range append([]outcome{told}, told.Responses...) {
		if o.Movement != nil {
			ids[o.Movement.ID] = true
		}
	}
	return ids
}

// endedHolds tells which holds somebody was told to have been posted or voided: these never end by themselves.
func endedHolds(requests []request) map[string]bool {
	ended := map[string]bool{}
	for _, r := range requests {
		if r.Answer == nil {
			continue
		}
		for _, o := range append([]outcome{*r.Answer}, r.Answer.Responses...) {
			if o.Movement != nil && (o.Movement.Status == "posted" || o.Movement.Status == "voided") {
				ended[o.Movement.ID] = true
			}
		}
	}
	return ended
}
