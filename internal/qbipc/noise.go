package qbipc

import (
	"fmt"
	"time"
)

const noisePerSecond = 20

// noise limits log lines that clients can cause at will: so many of a level a
// second, and then a count of the rest.
type noise struct {
	log    func(Level, string)
	second time.Time
	n      [LogDebug + 1]int
}

func (l *noise) say(now time.Time, level Level, text string) {
	if now.Sub(l.second) >= time.Second {
		for lv, n := range l.n {
			if n > noisePerSecond {
				l.log(Level(lv), fmt.Sprintf("%d more messages about clients were suppressed", n-noisePerSecond))
			}
		}
		l.second, l.n = now, [LogDebug + 1]int{}
	}
	if l.n[level]++; l.n[level] <= noisePerSecond {
		l.log(level, text)
	}
}
