import { freePorts } from '../../src/cli/ports.js'

/** An address on this machine where nobody listens. */
export async function freeAddress(): Promise<string> {
  const [port] = await freePorts(1)
  return `127.0.0.1:${port}`
}
