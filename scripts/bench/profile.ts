import { mkdirSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { join } from 'node:path'

/** For Node, so that a process writes what it spent its time on when it ends. */
export function profileArguments(directory: string): string[] {
  return ['--cpu-prof', `--cpu-prof-dir=${directory}`]
}

/** Does the task, and writes what this process spent its time on meanwhile: `<name>.cpuprofile`. */
export async function profiled<T>(directory: string, name: string, task: () => Promise<T>): Promise<T> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
  try {
    return await task()
  } finally {
    const { profile } = await session.post('Profiler.stop')
    session.disconnect()
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, `${name}.cpuprofile`), JSON.stringify(profile))
  }
}
