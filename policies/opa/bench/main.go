// Command bench is OPA's part of `make bench-engine`: it measures OPA through its Go API, as fast as that can be used.
//
// It reads one request a line from its standard input and answers each with one line:
//
//	{"load": {"modules": {"a.rego": "package a …"}, "version": 1, "data": {…}, "query": "data.a.deny", "input": "{…}"}}
//	{"run": {"row": 0, "mode": "raw", "milliseconds": 100, "threads": 2}}
//
// The first prepares a row and says its result; rows are numbered in that order. The second says how many operations
// were done in how many nanoseconds of processor time, the garbage collector's included.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

type request struct {
	Load *definition `json:"load"`
	Run  *run        `json:"run"`
}

type run struct {
	Row          int    `json:"row"`
	Mode         string `json:"mode"`
	Milliseconds int    `json:"milliseconds"`
	Threads      int    `json:"threads"`
}

type measured struct {
	Operations  int   `json:"operations"`
	Nanoseconds int64 `json:"nanoseconds"`
}

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(in io.Reader, out io.Writer) error {
	var rows []*row
	requests := json.NewDecoder(bufio.NewReader(in))
	answers := json.NewEncoder(out)
	for {
		var asked request
		if err := requests.Decode(&asked); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		var answer any
		switch {
		case asked.Load != nil:
			row, err := prepare(*asked.Load)
			if err != nil {
				return err
			}
			rows = append(rows, row)
			if answer, err = row.result(); err != nil {
				return err
			}
		case asked.Run != nil && asked.Run.Row < len(rows):
			measured, err := asked.Run.measure(rows[asked.Run.Row])
			if err != nil {
				return err
			}
			answer = measured
		default:
			return fmt.Errorf("neither a row nor a run of one that is loaded")
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
}

// Repeats the operation on every thread until the time is over.
func (r run) measure(row *row) (measured, error) {
	operation, err := row.operation(r.Mode)
	if err != nil {
		return measured{}, err
	}
	runtime.GOMAXPROCS(r.Threads)
	var group sync.WaitGroup
	counts := make([]int, r.Threads)
	faults := make([]error, r.Threads)
	used, err := processorTime()
	if err != nil {
		return measured{}, err
	}
	deadline := time.Now().Add(time.Duration(r.Milliseconds) * time.Millisecond)
	for thread := range r.Threads {
		group.Go(func() {
			// As many operations between two looks at the clock as take a millisecond or so.
			for batch := 1; time.Now().Before(deadline) && faults[thread] == nil; {
				began := time.Now()
				for range batch {
					if faults[thread] = operation(); faults[thread] != nil {
						return
					}
				}
				counts[thread] += batch
				if time.Since(began) < time.Millisecond {
					batch *= 2
				}
			}
		})
	}
	group.Wait()
	total, err := processorTime()
	answer := measured{Nanoseconds: total - used}
	for thread := range r.Threads {
		if faults[thread] != nil {
			return answer, faults[thread]
		}
		answer.Operations += counts[thread]
	}
	return answer, err
}

// What all threads of this process have used, in nanoseconds.
func processorTime() (int64, error) {
	var usage syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage.Utime.Nano() + usage.Stime.Nano(), err
}
