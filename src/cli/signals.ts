import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { isatty } from 'node:tty'

/** Ctrl-C reaches the whole process group, and npm then sends it on as well: one press, two signals. */
const SAME_PRESS_MS = 500
/** Terminals that the process was started with. */
const TERMINALS: readonly number[] = [0, 1, 2].filter((fd) => isatty(fd))
/** The last signal: the terminal is gone. */
export const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * SIGINT, SIGTERM and (with a terminal) SIGHUP: the first asks to stop, a later one to stop at once. With `graceMs`, the process is
 * stopped at once when it has not ended that long after the first.
 */
export function onStopSignals(handlers: { first: () => void; second: () => void; graceMs?: number }): void {
  let firstMs: number | undefined
  const onSignal = (): void => {
    const nowMs = performance.now()
    if (firstMs === undefined) {
      firstMs = nowMs
      if (handlers.graceMs !== undefined) setTimeout(handlers.second, handlers.graceMs).unref()
      handlers.first()
    } else if (nowMs - firstMs > SAME_PRESS_MS) {
      handlers.second()
    }
  }
  outliveTerminals()
  for (const signal of STOP_SIGNALS) if (signal !== 'SIGHUP' || hasTerminal()) process.on(signal, onSignal)
}

/**
 * Ends this process now. Not process.exit, which waits for threads: a thread that hangs on a disk would keep it alive, deaf to every signal.
 * Others see a killed process: exit code 137 (128 + SIGKILL).
 */
export function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL')
}

/**
 * A process without a terminal (started with nohup, or as a service) goes on when one is gone. It is not known whether SIGHUP was to
 * be ignored: Node resets all signals before it runs any of this.
 */
export function outliveTerminals(): void {
  if (!hasTerminal()) process.on('SIGHUP', () => {})
}

function hasTerminal(): boolean {
  return TERMINALS.length > 0
}

/**
 * Replaces each terminal that is gone by /dev/null: Node aborts at its end when it cannot reset a terminal. Must be called when nothing
 * else opens files any more, which could take the descriptor.
 */
export function replaceGoneTerminals(): void {
  for (const fd of TERMINALS) {
    if (isatty(fd)) continue
    closeSync(fd)
    openSync(devNull, 'r+') // the lowest that is free
  }
}
