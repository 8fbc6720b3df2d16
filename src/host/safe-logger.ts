import type { Logger } from 'pino'

const METHODS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const

/**
 * The logger, but what it throws is lost: a log that cannot be written (pino's own destinations throw on a full disk, or when the terminal is
 * gone) must not stop what the node is about to do.
 */
export function safeLogger(logger: Logger): Logger {
  const safe = Object.create(logger) as Logger
  for (const method of METHODS) {
    const log = logger[method].bind(logger)
    const quietly = (...args: Parameters<typeof log>): void => {
      try {
        log(...args)
      } catch {}
    }
    Object.defineProperty(safe, method, { value: quietly })
  }
  Object.defineProperty(safe, 'child', {
    value: (...args: Parameters<Logger['child']>) => safeLogger(logger.child(...args) as unknown as Logger),
  })
  return safe
}
