import { mkdirSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { join } from 'node:path'

/** For the Node of a cluster's node, so that it writes what it spent its time on when it ends. */
export function profileArguments(directory: string, nodeId: number): string[] {
  return ['--cpu-prof', `--cpu-prof-dir=${directory}`, `--cpu-prof-name=n${nodeId}-${Date.now()}.cpuprofile`]
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
