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
  return statFieldsOf(pid)?.[0] !== 'Z'
}

/** When the process started, in clock ticks after boot: field 22 of its stat. */
export function startOf(pid: number): string | undefined {
  return statFieldsOf(pid)?.[22 - 3]
}

/** /proc/<pid>/stat from field 3 on. The second field, the command's name in parentheses, may itself hold spaces and parentheses. */
function statFieldsOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}
