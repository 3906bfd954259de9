// SPDX-License-Identifier: MIT

// What native.c does, with goroutines: the same words, the same counts, nanoseconds for one (or
// bytes). With one P: one loop against one loop, and no lock is contended.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

var left int // with one P nothing else runs between two yields

func worker(times int) {
	for i := 0; i < times; i++ {
		runtime.Gosched()
	}
	left--
}

func batches(rounds, batch, times int) float64 {
	began := time.Now()
	for r := 0; r < rounds; r++ {
		left = batch
		for i := 0; i < batch; i++ {
			go worker(times)
		}
		for left > 0 {
			runtime.Gosched()
		}
	}
	return float64(time.Since(began).Nanoseconds())
}

func memory() int {
	text, _ := os.ReadFile("/proc/self/statm")
	pages, _ := strconv.Atoi(strings.Fields(string(text))[1])
	return pages * os.Getpagesize()
}

func sleepers(count int) float64 {
	before := memory()
	for i := 0; i < count; i++ {
		go time.Sleep(1000 * time.Second)
	}
	for i := 0; i < 3; i++ {
		runtime.Gosched()
	}
	return float64(memory()-before) / float64(count)
}

func main() {
	runtime.GOMAXPROCS(1)
	a, _ := strconv.Atoi(os.Args[2])
	b := 1
	if len(os.Args) > 3 {
		b, _ = strconv.Atoi(os.Args[3])
	}
	switch os.Args[1] {
	case "create":
		batches(a/10+1, b, 1)
		fmt.Println(batches(a, b, 1) / float64(a*b))
	case "switch":
		batches(1, a, b/10)
		fmt.Println(batches(1, a, b) / float64(a*b))
	default:
		fmt.Println(sleepers(a))
	}
}
