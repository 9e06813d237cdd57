// Command pause is the first process of a Pod's sandbox: it keeps the Pod's
// namespaces alive, collects orphaned children and ends when it is told to.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	for {
		select {
		case <-end:
			return
		case <-children:
			collect()
		}
	}
}

// collect takes every child that has ended: one signal may stand for several.
func collect() {
	for {
		child, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == nil && child > 0 || err == syscall.EINTR {
			continue
		}
		return
	}
}
