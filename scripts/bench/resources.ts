import { readFileSync } from 'node:fs'
import { cpuSecondsOf } from '../lib/sampling.js'
import type { MeasuredProcess, Measurement } from './types.js'

/** The load generator and its clients. */
const CLIENT: MeasuredProcess = { name: 'client', pid: () => process.pid }

interface Mark {
  readonly pid: number | undefined
  readonly cpuSeconds: number
}

/** What processes, this one included, have of the processors between begin() and end(). */
export class ResourceMeter {
  readonly #processes: readonly MeasuredProcess[]
  #before: readonly Mark[] = []
  #cpuSeconds: readonly number[] = []

  constructor(processes: readonly MeasuredProcess[]) {
    this.#processes = [...processes, CLIENT]
  }

  begin(): void {
    this.#before = this.#processes.map(markOf)
  }

  end(): void {
    this.#cpuSeconds = this.#processes.map((measured, i) => {
      const { pid, cpuSeconds } = markOf(measured)
      const before = this.#before[i]
      const spent = before?.pid === pid ? cpuSeconds - (before?.cpuSeconds ?? 0) : cpuSeconds
      // Of a process that has ended meanwhile nobody can tell any more.
      return Math.max(0, spent)
    })
  }

  /** Nothing a thousand, when nothing was done. */
  figures(operations: number): Pick<Measurement, 'cpuPerThousand' | 'peakMemory'> {
    const perThousand = operations === 0 ? 0 : 1_000 / operations
    const named = (of: (i: number, pid: number | undefined) => number): Record<string, number> =>
      Object.fromEntries(this.#processes.map(({ name, pid }, i) => [name, of(i, pid())]))
    return {
      cpuPerThousand: named((i) => (this.#cpuSeconds[i] ?? 0) * perThousand),
      peakMemory: named((_, pid) => peakMemoryOf(pid)),
    }
  }
}

function markOf({ pid }: MeasuredProcess): Mark {
  return { pid: pid(), cpuSeconds: cpuSecondsOf(pid()) }
}

/** The most bytes that were ever resident, on Linux; 0 elsewhere, and of what does not run. */
function peakMemoryOf(pid: number | undefined): number {
  try {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
    return Number(kib ?? 0) * 1_024
  } catch {
    return 0
  }
}
