// Runs inside a node (NODE_OPTIONS=--import=…) and writes, every 100 ms, one line of JSON to $SYNOD_PROBE_FILE: what that node's main
// thread was up to. Timers of 1 ms tell how late its event loop is; the kernel's schedstat tells how much of that the thread merely
// waited for a processor, which on a machine of its own it would not have had to.
//
//   t       Date.now()              pause   the longest gap between two turns of the loop, ms, less the timer's own ms
//   rss     bytes                   waited  how much of that gap the thread was runnable, and others ran, ms
//   heap    bytes in use            gc      the longest garbage collection that stopped it, ms
//   pauses  [[gap, waited], …], of each gap of 5 ms or more
import { appendFileSync, readFileSync } from 'node:fs'
import { PerformanceObserver } from 'node:perf_hooks'
import process from 'node:process'
import { isMainThread } from 'node:worker_threads'

const FILE = process.env.SYNOD_PROBE_FILE
const LINE_MS = 100
const NOTED_MS = 5
const NS_PER_MS = 1e6

/** How long the main thread has been runnable without running, in ms; 0 where the kernel does not say. */
function waitedMs() {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ')[1]) / NS_PER_MS
  } catch {
    return 0
  }
}

if (FILE !== undefined && isMainThread) {
  let pauses = []
  let longest = [0, 0]
  let gc = 0
  let lastMs = performance.now()
  let lastWaitedMs = waitedMs()
  let lineMs = lastMs + LINE_MS
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) gc = Math.max(gc, duration)
  }).observe({ entryTypes: ['gc'] })
  setInterval(() => {
    const nowMs = performance.now()
    const nowWaitedMs = waitedMs()
    const pause = [nowMs - lastMs - 1, nowWaitedMs - lastWaitedMs]
    if (pause[0] > longest[0]) longest = pause
    if (pause[0] >= NOTED_MS) pauses.push(pause.map((ms) => Number(ms.toFixed(1))))
    lastMs = nowMs
    lastWaitedMs = nowWaitedMs
    if (nowMs < lineMs) return
    lineMs = nowMs + LINE_MS
    const { rss, heapUsed } = process.memoryUsage()
    const line = { t: Date.now(), rss, heap: heapUsed, pause: longest[0], waited: longest[1], gc, pauses }
    appendFileSync(FILE, `${JSON.stringify(line)}\n`)
    pauses = []
    longest = [0, 0]
    gc = 0
  }, 1).unref()
}
