import { constants, readFileSync, readlinkSync } from 'node:fs'

/**
 * Tests whether the process was started with this descriptor closed. Node then opens /dev/null in its place, for reading and writing, and no
 * read or write fails there. A caller that opens it so means the same. False where the system does not tell.
 */
export function isClosed(fd: number): boolean {
  try {
    const [, flags = ''] = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? []
    const isForBoth = (Number.parseInt(flags, 8) & constants.O_RDWR) !== 0
    return isForBoth && readlinkSync(`/proc/self/fd/${fd}`) === '/dev/null'
  } catch {
    return false
  }
}
