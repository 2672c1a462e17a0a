// Command pod is what the test cluster's own pods run: the pause container of every pod, and for the cluster's own
// tests a server and a client, so that no image from elsewhere is needed.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	arguments := append(os.Args[1:], "", "")
	var err error
	switch arguments[0] {
	case "", "pause":
		pause()
	case "serve": // serve ADDRESS: answers each connection with the host's name
		err = serve(arguments[1])
	case "fetch": // fetch ADDRESS: prints what a server answers, asking for up to a minute
		err = fetch(arguments[1], time.Now().Add(time.Minute))
	default:
		err = fmt.Errorf("unknown command %q: pause, serve ADDRESS or fetch ADDRESS", arguments[0])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// pause waits for the end and reaps orphans: with a shared process namespace it is the pod's process 1.
func pause() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		for pid := 1; pid > 0; {
			pid, _ = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		}
	}
}

func serve(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	name, _ := os.Hostname()
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		fmt.Fprintln(connection, name)
		connection.Close()
	}
}

func fetch(address string, deadline time.Time) error {
	for {
		connection, err := net.DialTimeout("tcp", address, 2*time.Second)
		if err == nil {
			_, err = io.Copy(os.Stdout, connection)
			connection.Close()
		}
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
}
