// Command linearizability judges histories that `synod sim --history` has written, with a checker and a model that have nothing in
// common with Synod's own: porcupine searches, and the model below is told from the documentation. It looks at neither slots nor log
// time.
//
//	linearizability [-timeout 30s] FILE...
//
// It prints a line for each file, `ok`, `FAIL` or `unknown` (when the search took too long), and ends with status 1 if one failed.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
)

func main() {
	timeout := flag.Duration("timeout", 30*time.Second, "how long to search in one history")
	flag.Parse()
	hasFailed := false
	for _, file := range flag.Args() {
		requests, err := readHistory(file)
		if err != nil {
			fmt.Printf("FAIL %s: %v\n", file, err)
			hasFailed = true
			continue
		}
		hasFailed = !judge(file, requests, *timeout) || hasFailed
	}
	if hasFailed {
		os.Exit(1)
	}
}

// judge prints what is to be said of one history. It returns false if no order explains it.
func judge(file string, requests []request, timeout time.Duration) bool {
	operations := operationsOf(requests)
	result, info := porcupine.CheckOperationsVerbose(model, operations, timeout)
	switch result {
	case porcupine.Ok:
		fmt.Printf("ok %s: %d requests\n", file, len(requests))
	case porcupine.Unknown:
		fmt.Printf("unknown %s: the search took longer than %v\n", file, timeout)
	case porcupine.Illegal:
		fmt.Printf("FAIL %s: no order of the requests explains the answers; none explains as much as line %s\n", file, stuckAt(operations, info))
		return false
	}
	return true
}

// stuckAt names the first request that has no place in the longest order that was found.
func stuckAt(operations []porcupine.Operation, info porcupine.LinearizationInfo) string {
	placed := map[int]bool{}
	for _, partition := range info.PartialLinearizationsOperations() {
		longest := []porcupine.Operation{}
		for _, order := range partition {
			if len(order) > len(longest) {
				longest = order
			}
		}
		for _, operation := range longest {
			placed[operation.Input.(event).line] = true
		}
	}
	first := -1
	for i, operation := range operations {
		isOut := !placed[operation.Input.(event).line] && operation.Output.(answer).isKnown
		if isOut && (first == -1 || operation.Return < operations[first].Return) {
			first = i
		}
	}
	if first == -1 {
		return "(unknown)"
	}
	asked := operations[first].Input.(event)
	return fmt.Sprintf("%d: %s, answered %s", asked.line, asked.text, operations[first].Output.(answer).outcome)
}
