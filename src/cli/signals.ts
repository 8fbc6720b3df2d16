import { readFileSync } from 'node:fs'

/** Ctrl-C reaches the whole process group, and npm then sends it on as well: one press, two signals. */
const SAME_PRESS_MS = 500
/** The last one: the terminal is gone. */
export const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** Bit 0 of the mask of ignored signals is that of SIGHUP. */
const SIGHUP_BIT = 1n

/**
 * SIGINT, SIGTERM and SIGHUP: the first asks to stop, a later one to stop at once. With `graceMs`, whoever has not ended
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
  // Whoever was started with nohup is to outlive the terminal.
  for (const signal of STOP_SIGNALS) if (signal !== 'SIGHUP' || !isHangUpIgnored()) process.on(signal, onSignal)
}

/**
 * Ends this process now. Not process.exit, which waits for threads: one that hangs on a disk would keep it, deaf to everything.
 * To others it has been killed: exit code 137 (128 + SIGKILL).
 */
export function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL')
}

function isHangUpIgnored(): boolean {
  try {
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    return mask !== undefined && (BigInt(`0x${mask}`) & SIGHUP_BIT) !== 0n
  } catch {
    return false
  }
}
