import { readFileSync } from 'node:fs'

/**
 * Returns true when a process with this id runs on this machine. A zombie (killed, but not reaped by its parent; in a container whose
 * first process reaps no children it stays one forever) does not count, where /proc tells.
 */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  return stateOf(pid) !== 'Z'
}

/** Returns the state: the third field of /proc/<pid>/stat. The second, the command in parentheses, may contain spaces and parentheses. */
function stateOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat[stat.lastIndexOf(')') + 2]
  } catch {
    return undefined
  }
}
