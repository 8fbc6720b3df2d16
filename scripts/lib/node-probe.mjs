// Runs inside a node (NODE_OPTIONS=--import=…) and writes, every 100 ms, one line of JSON to $SYNOD_PROBE_FILE: what that node's main
// thread was up to. A timer of 1 ms tells how late its event loop is; the kernel's schedstat tells how much of that the thread merely
// waited for a processor, which on a machine of its own it would not have had to.
//
//   t       Date.now()
//   rss     bytes
//   heap    bytes in use
//   gc      the longest garbage collection that stopped the thread, ms
//   pauses  [[gap, waited, ran, gc], …], ms, of each gap of 2 ms or more between two turns of the loop, less the timer's own millisecond:
//           how long it was, how much of it the thread was runnable while others ran, how much it ran itself (what is left it slept, for a
//           disk say, or for V8's helpers that had no processor), and how long it collected garbage
import { appendFileSync, readFileSync } from 'node:fs'
import { PerformanceObserver } from 'node:perf_hooks'
import process from 'node:process'
import { isMainThread } from 'node:worker_threads'

const FILE = process.env.SYNOD_PROBE_FILE
const LINE_MS = 100
const NOTED_MS = 2
const NS_PER_MS = 1e6

/** How long the main thread has run, and been runnable without running, in ms; 0 where the kernel does not say. */
function scheduledMs() {
  try {
    const [ran, waited] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1').split(' ')
    return { ran: Number(ran) / NS_PER_MS, waited: Number(waited) / NS_PER_MS }
  } catch {
    return { ran: 0, waited: 0 }
  }
}

/** How much of [from, to] the collections took. */
function collectedMs(collections, from, to) {
  return collections.reduce((sum, gc) => sum + Math.max(0, Math.min(to, gc.to) - Math.max(from, gc.from)), 0)
}

function round(ms) {
  return Number(ms.toFixed(1))
}

if (FILE !== undefined && isMainThread) {
  let gaps = []
  /** Told of some turns later than they were: kept for two lines. */
  let collections = []
  let lastMs = performance.now()
  let last = scheduledMs()
  let lineMs = lastMs + LINE_MS

  function writeLine(nowMs) {
    const { rss, heapUsed: heap } = process.memoryUsage()
    const gc = Math.max(0, ...collections.filter(({ to }) => to > nowMs - LINE_MS).map(({ from, to }) => to - from))
    const pauses = gaps.map(({ from, to, waited, ran }) =>
      [to - from - 1, waited, ran, collectedMs(collections, from, to)].map(round),
    )
    appendFileSync(FILE, `${JSON.stringify({ t: Date.now(), rss, heap, gc: round(gc), pauses })}\n`)
    gaps = []
    collections = collections.filter(({ to }) => to > nowMs - 2 * LINE_MS)
  }

  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) collections.push({ from: startTime, to: startTime + duration })
  }).observe({ entryTypes: ['gc'] })
  setInterval(() => {
    const nowMs = performance.now()
    const now = scheduledMs()
    if (nowMs - lastMs - 1 >= NOTED_MS) {
      gaps.push({ from: lastMs, to: nowMs, waited: now.waited - last.waited, ran: now.ran - last.ran })
    }
    lastMs = nowMs
    last = now
    if (nowMs < lineMs) return
    lineMs = nowMs + LINE_MS
    // A turn later, collections of this one have been told of.
    setImmediate(writeLine, nowMs)
  }, 1).unref()
}
