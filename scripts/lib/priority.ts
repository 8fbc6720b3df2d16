import { writeFileSync } from 'node:fs'
import { constants, setPriority } from 'node:os'

/** Has the process take only what others leave of the processors, or no longer. On Linux a session of its own is a group of its own, too. */
export function yieldToOthers(pid: number, does: boolean): void {
  const nice = does ? constants.priority.PRIORITY_LOW : constants.priority.PRIORITY_NORMAL
  setPriority(pid, nice)
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(nice))
  } catch {
    // There are no such groups here.
  }
}
