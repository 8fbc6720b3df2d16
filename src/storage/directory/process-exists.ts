import { readFileSync } from 'node:fs'

/**
 * Whether a process of this id runs on this machine. One that has been killed and not yet been reaped by its parent (in a container
 * whose first process reaps nobody it stays so for good) runs no more: where /proc tells, it does not count.
 */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  return stateOf(pid) !== 'Z'
}

/** The third field of /proc/<pid>/stat. The second, the command's name in parentheses, may itself hold spaces and parentheses. */
function stateOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat[stat.lastIndexOf(')') + 2]
  } catch {
    return undefined
  }
}
