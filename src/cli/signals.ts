/** Ctrl-C reaches the whole process group, and npm then sends it on as well: one press, two signals. */
const SAME_PRESS_MS = 500

/** SIGINT and SIGTERM: the first asks to stop, a later one to stop at once. */
export function onStopSignals(handlers: { first: () => void; second: () => void }): void {
  let firstMs: number | undefined
  const onSignal = (): void => {
    const nowMs = performance.now()
    if (firstMs === undefined) {
      firstMs = nowMs
      handlers.first()
    } else if (nowMs - firstMs > SAME_PRESS_MS) {
      handlers.second()
    }
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
}
