import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { isatty } from 'node:tty'

/** Ctrl-C reaches the whole process group, and npm then sends it on as well: one press, two signals. */
const SAME_PRESS_MS = 500
/** What the process was started with. */
const TERMINALS: readonly number[] = [0, 1, 2].filter((fd) => isatty(fd))
/** The last one: the terminal is gone. */
export const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * SIGINT, SIGTERM and (with a terminal) SIGHUP: the first asks to stop, a later one to stop at once. With `graceMs`, whoever has not ended
 * so long after the first is stopped at once, too.
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
 * Ends this process now. Not process.exit, which waits for threads: one that hangs on a disk would keep it, deaf to everything.
 * To others it has been killed: exit code 137 (128 + SIGKILL).
 */
export function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL')
}

/**
 * A process without a terminal (started with nohup, or as a service) goes on when one is gone. Whether SIGHUP was to be ignored, nobody can
 * tell: Node sets all signals back before it runs any of this.
 */
export function outliveTerminals(): void {
  if (!hasTerminal()) process.on('SIGHUP', () => {})
}

function hasTerminal(): boolean {
  return TERMINALS.length > 0
}

/**
 * Puts /dev/null in the place of each terminal that is gone: Node aborts at its end when it cannot set a terminal back to what it was. To be
 * called when nothing else opens files any more, which could take such a place.
 */
export function replaceGoneTerminals(): void {
  for (const fd of TERMINALS) {
    if (isatty(fd)) continue
    closeSync(fd)
    openSync(devNull, 'r+') // the lowest that is free
  }
}
